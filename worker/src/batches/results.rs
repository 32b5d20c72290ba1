//! Looking at a batch, and booking its results when it has ended.

use std::time::Duration;

use hive_claude::{Batch, BatchOutcome, BatchStatus, Error, ErrorKind};
use hive_domain::{NanoUsd, Usage};
use hive_store::{BatchEnd, BatchResult, BatchVerdict, OpenBatch};
use uuid::Uuid;

use super::{Batches, Follows, follows, said};
use crate::meter;

/// Results that are booked in one transaction.
const BOOKED_TOGETHER: usize = 100;

impl Batches {
    /// Looks at a batch that stands at the provider.
    pub(super) async fn look(&self, batch: &OpenBatch, id: &str) -> hive_store::Result<()> {
        let seen = match self.claude.batch(id).await {
            Ok(seen) => seen,
            // A wrong address says the same of every batch, so that nothing is given up before its time is over.
            Err(Error::Api(error)) if error.kind == ErrorKind::NotFound && batch.is_overdue => {
                let detail = "the provider does not have it any more";
                return self.give_up(batch.id, BatchEnd::Lost, detail, Duration::ZERO).await;
            }
            Err(error) => return self.later(batch, &error).await,
        };
        if seen.archived_at.is_some() {
            let detail = "the provider does not keep its results any more";
            return self.give_up(batch.id, BatchEnd::Lost, detail, Duration::ZERO).await;
        }
        if seen.processing_status != BatchStatus::Ended {
            return self.store.poll_batch_again(batch.id, self.policy.pause(batch.polls), None).await;
        }
        match self.book(batch, &seen).await? {
            Ok(()) => Ok(()),
            // What was booked stays booked.
            Err(error) => self.later(batch, &error).await,
        }
    }

    async fn book(&self, batch: &OpenBatch, seen: &Batch) -> hive_store::Result<Result<(), Error>> {
        let mut lines = match self.claude.batch_results(&seen.id).await {
            Ok(lines) => lines,
            Err(error) => return Ok(Err(error)),
        };
        let (mut read, mut booked, mut is_ours, mut named) = (Vec::new(), 0, false, 0_u64);
        loop {
            let line = match lines.next().await {
                Ok(line) => line,
                Err(error) => return Ok(Err(error)),
            };
            let is_last = line.is_none();
            // What is not one of our ids is not ours.
            read.extend(line.and_then(|line| {
                let request = Uuid::parse_str(&line.custom_id).ok()?;
                named += 1;
                Some(BatchResult { request, verdict: self.verdict(&batch.model, line.outcome) })
            }));
            if read.len() < BOOKED_TOGETHER && !is_last {
                continue;
            }
            if !is_ours {
                let ids: Vec<Uuid> = read.iter().map(|result| result.request).collect();
                is_ours = !self.store.requests_in_batch(batch.id, &ids).await?.is_empty();
            }
            if !is_ours {
                // It was taken for ours by its size.
                tracing::warn!(batch.id = %batch.id, provider = seen.id, "The batch at the provider is somebody else's");
                self.store.not_this_batch(batch.id, &seen.id).await?;
                return Ok(Ok(()));
            }
            booked += self.store.record_batch_results(batch.id, &read).await?;
            read.clear();
            if is_last {
                break;
            }
        }
        let counts = &seen.request_counts;
        let expected = counts.total();
        if named < expected && !batch.is_overdue {
            // What is not read yet may have been paid for: it is not sent again before the time of the batch is over.
            let message = format!("{named} of {expected} results can be read");
            return Ok(Err(Error::Protocol { message, partial: hive_claude::Partial::default() }));
        }
        let counts = [counts.succeeded, counts.errored, counts.canceled, counts.expired];
        if let Some(unnamed) = self.store.end_batch(batch.id, counts).await? {
            meter::batch("ended");
            tracing::info!(batch.id = %batch.id, provider = seen.id, booked, "A batch has ended");
            if unnamed > 0 {
                tracing::warn!(
                    batch.id = %batch.id, provider = seen.id,
                    "{unnamed} requests of a batch have no result; they are tried again, and their cost is assumed"
                );
            }
        }
        Ok(Ok(()))
    }

    fn verdict(&self, model: &str, outcome: BatchOutcome) -> BatchVerdict {
        match outcome {
            BatchOutcome::Succeeded(reply) => match usage(model, &reply.usage) {
                Some(usage) => BatchVerdict::Succeeded { result: reply.json, usage },
                None => BatchVerdict::Unknown { error: format!("the model {model} has no price") },
            },
            BatchOutcome::Errored(error) => {
                let error = Error::Api(error);
                match follows(&error, self.policy.poll) {
                    Follows::Again(after) => BatchVerdict::Again { error: said(&error), after },
                    Follows::Never => BatchVerdict::Errored { error: said(&error) },
                }
            }
            BatchOutcome::Canceled => BatchVerdict::Canceled,
            BatchOutcome::Expired => BatchVerdict::Expired,
            BatchOutcome::Unreadable(error) => BatchVerdict::Unknown { error },
        }
    }
}

/// What a reply used and cost; `None` for a model without a price.
fn usage(model: &str, usage: &hive_claude::Usage) -> Option<Usage> {
    /// No request has more; what a confused server reports beyond it must not overflow a sum.
    const MOST: i64 = 1 << 40;
    let count = |tokens: u64| i64::try_from(tokens).unwrap_or(MOST).min(MOST);
    let cost = hive_claude::batch_cost(model, usage)?;
    Some(Usage {
        input_tokens: count(usage.input_tokens),
        output_tokens: count(usage.output_tokens),
        cache_read_tokens: count(usage.cache_read_input_tokens),
        cache_write_tokens: count(usage.cache_creation_input_tokens),
        cache_write_1h_tokens: count(usage.cache_creation.ephemeral_1h_input_tokens),
        cost: NanoUsd(cost.0.clamp(0, MOST * 100)),
    })
}
