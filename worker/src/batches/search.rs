//! Searching at the provider for a batch of which nobody knows whether it was created.
//!
//! The list of batches shows no ids of requests, so what stands there is told by its size and its time, and for sure only
//! by its results. One that fits and is the only one is taken; its results show whether it is ours.

use std::{collections::HashSet, time::Duration};

use chrono::TimeDelta;
use hive_claude::{Batch, BatchStatus, Error};
use hive_store::{BatchEnd, OpenBatch};
use uuid::Uuid;

use super::{Batches, send::Known};

/// How far the provider's clock may lie behind ours.
const SKEW: TimeDelta = TimeDelta::seconds(60);
/// Batches of one page of the list.
const PAGE: u16 = 100;
/// Pages that are read at most.
const MOST_PAGES: usize = 20;
/// After which a batch that another key may see is given up: by then it has ended, or expired.
const UNSEEN: Duration = Duration::from_secs(25 * 3_600);
/// The pause between two searches that found nothing.
pub(super) const SEARCH_EVERY: Duration = Duration::from_secs(2);
/// Searches at least, before a batch counts as not created.
pub(super) const SEARCHES: i32 = 5;

impl Batches {
    pub(super) async fn search(&self, batch: &OpenBatch) -> hive_store::Result<()> {
        let mut fitting = match self.fitting(batch).await {
            Ok(fitting) => fitting,
            Err(error) => return self.later(batch, &error).await,
        };
        let ids: Vec<String> = fitting.iter().map(|found| found.id.clone()).collect();
        let known: HashSet<String> = self.store.known_batches(&ids).await?.into_iter().collect();
        fitting.retain(|found| !known.contains(&found.id));
        let mut open = Vec::new();
        for found in fitting {
            if found.processing_status != BatchStatus::Ended || found.archived_at.is_some() {
                open.push(found);
                continue;
            }
            match self.carries(batch, &found.id).await? {
                Ok(true) => return self.adopt(batch, &found).await,
                Ok(false) => self.store.not_this_batch(batch.id, &found.id).await?,
                Err(error) => return self.later(batch, &error).await,
            }
        }
        match open.as_slice() {
            // Whether it stands where this key does not see, nobody can say: it is not sent again, and counts as paid.
            [] if batch.key != self.key && batch.age > UNSEEN => {
                let detail = "it was noted under another key, and may be where this one does not see";
                self.give_up(batch.id, BatchEnd::Lost, detail, Duration::ZERO).await
            }
            [] if batch.key != self.key => {
                let detail = "it was noted under another key; this one sees no batch that could be it";
                self.store.poll_batch_again(batch.id, self.policy.pause(batch.polls), Some(detail)).await
            }
            // A creation that ran into its time limit is that old before it is searched for.
            [] if batch.age > self.policy.patience() && batch.polls > SEARCHES => {
                let detail = "it was noted, and the provider has no batch that could be it";
                self.give_up(batch.id, BatchEnd::Unsent, detail, Duration::ZERO).await
            }
            [] => {
                let detail = "the provider has no batch yet that could be it";
                self.store.poll_batch_again(batch.id, SEARCH_EVERY, Some(detail)).await
            }
            [only] if self.store.batches_undecided(batch.age + SEARCH_EVERY).await? <= 1 => {
                self.adopt(batch, only).await
            }
            several => {
                let ids: Vec<&str> = several.iter().map(|found| found.id.as_str()).collect();
                let detail = format!("not decided before they end which of these it is: {}", ids.join(", "));
                tracing::warn!(batch.id = %batch.id, "A batch is {detail}");
                self.store.poll_batch_again(batch.id, self.policy.pause(batch.polls), Some(&detail)).await
            }
        }
    }

    async fn adopt(&self, batch: &OpenBatch, found: &Batch) -> hive_store::Result<()> {
        tracing::info!(batch.id = %batch.id, provider = found.id, "A batch is found at the provider");
        self.created(batch.id, found, Known::BySize).await
    }

    /// Batches at the provider of the same size that were created since it was noted, and were not looked at before.
    async fn fitting(&self, batch: &OpenBatch) -> Result<Vec<Batch>, Error> {
        let since = batch.created_at - SKEW;
        let (mut fitting, mut after) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let page = self.claude.batches(PAGE, after.as_deref()).await?;
            let is_last = !page.has_more || page.data.iter().any(|found| found.created_at < since);
            fitting.extend(page.data.into_iter().filter(|found| {
                found.created_at >= since
                    && i32::try_from(found.request_counts.total()) == Ok(batch.requests)
                    && !batch.not_ours.contains(&found.id)
            }));
            after = page.last_id;
            if is_last || after.is_none() {
                break;
            }
        }
        Ok(fitting)
    }

    /// Whether the results of a batch that has ended are those of this one: its first readable id says so.
    async fn carries(&self, batch: &OpenBatch, id: &str) -> hive_store::Result<Result<bool, Error>> {
        let mut results = match self.claude.batch_results(id).await {
            Ok(results) => results,
            Err(error) => return Ok(Err(error)),
        };
        match results.next().await {
            Ok(Some(result)) => match Uuid::parse_str(&result.custom_id) {
                Ok(request) => {
                    let ours = self.store.requests_in_batch(batch.id, &[request]).await?;
                    Ok(Ok(!ours.is_empty()))
                }
                Err(_) => Ok(Ok(false)),
            },
            Ok(None) => Ok(Ok(false)),
            Err(error) => Ok(Err(error)),
        }
    }
}
