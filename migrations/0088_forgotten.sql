-- What a deletion reaches beside the memory is found at once; and what nights left behind is removed some day.

-- Which requests were about an entry.
CREATE INDEX sleep_requests_by_given ON sleep_requests USING gin (given jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX sleep_probes_by_evidence ON sleep_probes (evidence);
CREATE INDEX idempotency_keys_of_contexts ON idempotency_keys (location) WHERE location LIKE '/api/v1/context/%';

-- Since then its changes and the rows that it retired are being removed: it cannot be taken back any more.
ALTER TABLE sleep_cycles ADD COLUMN pruned_at timestamptz;
CREATE INDEX sleep_cycles_by_end ON sleep_cycles (finished_at) WHERE pruned_at IS NULL;
CREATE INDEX context_tombstones_by_age ON context_tombstones (deleted_at);
