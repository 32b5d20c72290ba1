-- What batches leave behind is removed some day: a batch goes when nothing names it any more.

CREATE INDEX batch_requests_by_batch ON batch_requests (batch_id) WHERE batch_id IS NOT NULL;
