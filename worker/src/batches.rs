//! Requests that can wait, sent as batches for half the price. One worker of the fleet at a time sends, looks and books;
//! all it knows lies in Postgres, so that another goes on wherever it stopped.
//!
//! A batch is noted, with the money of its requests, before it is created. When nobody knows whether it was, it is
//! searched for at the provider before its requests are sent again.

mod results;
mod search;
mod send;

use std::{
    cmp,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hive_claude::{Claude, Error, RetryPolicy, Verdict, verdict};
use hive_store::{BatchEnd, OpenBatch, Store};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    search::{SEARCH_EVERY, SEARCHES},
    send::{Pauses, SEARCH_AFTER},
};
use crate::meter;

/// How often a worker looks whether something is to be done.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the lease is renewed while something is done; a third of the time after which another takes over.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How long nothing is sent after the provider refused the key for batches. The key is not stopped for it: what is asked
/// at once may be allowed all the same.
const KEY_PAUSE: Duration = Duration::from_secs(300);
/// Looks after which the pause between two of them is twice as long.
const LOOKS_PER_DOUBLING: i32 = 3;
/// How often it is doubled at most.
const MOST_DOUBLINGS: i32 = 5;

/// When something is sent and looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchPolicy {
    /// So many requests are sent at once, and no more in one batch.
    pub(crate) size: u16,
    /// Fewer are sent when the oldest has waited this long.
    pub(crate) after: Duration,
    /// From the creation of a batch to the first look.
    pub(crate) poll: Duration,
}

impl BatchPolicy {
    /// The pause before the next look at a batch that was looked at so often.
    fn pause(&self, polls: i32) -> Duration {
        let doublings = cmp::min(polls / LOOKS_PER_DOUBLING, MOST_DOUBLINGS).max(0);
        self.poll.saturating_mul(1 << doublings)
    }

    /// How long a batch is searched for before it counts as not created.
    fn patience(&self) -> Duration {
        self.poll.saturating_mul(2).max(Duration::from_secs(10))
    }

    /// How long nobody may know whether a batch was created: as long as it is searched for.
    fn undecided(&self) -> Duration {
        self.patience() + SEARCH_AFTER + SEARCH_EVERY * SEARCHES.unsigned_abs()
    }
}

/// What one worker does for batches while it holds their lease.
pub(crate) struct Batches {
    pub(crate) store: Store,
    pub(crate) claude: Claude,
    /// Who holds the lease.
    pub(crate) worker: String,
    /// What stands for the key in the stores.
    pub(crate) key: String,
    pub(crate) policy: BatchPolicy,
    // What the provider said of creating batches; held for a few instructions.
    pauses: Mutex<Pauses>,
}

impl Batches {
    /// Those of a worker with this name, under a key of this fingerprint.
    pub(crate) fn new(
        store: Store,
        claude: Claude,
        worker: String,
        key: String,
        policy: BatchPolicy,
    ) -> Self {
        Self { store, claude, worker, key, policy, pauses: Mutex::default() }
    }

    fn pauses(&self) -> MutexGuard<'_, Pauses> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on until the process is asked to stop. What is cut then is gone on with by another worker.
    pub(crate) async fn keep(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep(LOOK_EVERY) => {}
            }
            match self.store.hold_batches(&self.worker).await {
                Ok(true) => {}
                Ok(false) => continue,
                // Postgres being away is said by its own component.
                Err(error) => {
                    tracing::debug!("whether batches are to be looked after is not known: {error}");
                    continue;
                }
            }
            // A task of its own, so that a panic ends one round and not all of them.
            let this = Arc::clone(&self);
            let mut round = tokio::spawn(async move { this.round().await });
            tokio::select! {
                () = stop.cancelled() => round.abort(),
                ended = &mut round => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!("batches are looked after later: {error}"),
                    Err(error) => tracing::error!("a round of the batches ended in a panic: {error}"),
                },
                () = self.lose() => {
                    round.abort();
                    tracing::warn!("The lease of the batches is lost; whoever holds it now goes on");
                }
            }
        }
        if let Err(error) = self.store.leave_batches(&self.worker).await {
            tracing::debug!("the lease of the batches ends by itself: {error}");
        }
    }

    /// Ends when the lease is lost, or may be.
    async fn lose(&self) {
        loop {
            sleep(RENEW_EVERY).await;
            match tokio::time::timeout(RENEW_EVERY, self.store.hold_batches(&self.worker)).await {
                Ok(Ok(true)) => {}
                _ => return,
            }
        }
    }

    async fn round(&self) -> hive_store::Result<()> {
        if !self.store.provider(Some(&self.key)).await?.stopped.is_empty() {
            // A person resumes the key; nothing here is lost meanwhile.
            return Ok(());
        }
        for batch in self.store.batches_due().await? {
            match &batch.provider_id {
                None => self.search(&batch).await?,
                Some(id) => self.look(&batch, id).await?,
            }
        }
        self.send().await
    }

    /// Notes what was in the way, and looks again after the next pause.
    async fn later(&self, batch: &OpenBatch, error: &Error) -> hive_store::Result<()> {
        let detail = said(error);
        tracing::debug!(batch.id = %batch.id, "a batch is looked at later: {detail}");
        let hold = hive_claude::hold(error).unwrap_or_default();
        let pause = cmp::max(hold, self.policy.pause(batch.polls));
        self.store.poll_batch_again(batch.id, pause, Some(&detail)).await
    }

    async fn give_up(
        &self,
        batch: Uuid,
        end: BatchEnd,
        detail: &str,
        after: Duration,
    ) -> hive_store::Result<()> {
        if self.store.give_up_batch(batch, end, detail, after).await? {
            meter::batch(if end == BatchEnd::Lost { "lost" } else { "unsent" });
            tracing::warn!(batch.id = %batch, "A batch is given up, and its requests wait again: {detail}");
        }
        Ok(())
    }
}

/// What follows from an error that the provider answered with.
enum Follows {
    /// It passes: again, after this time.
    Again(Duration),
    /// The same request would meet it again.
    Never,
}

/// Decides as for calls that are answered at once, but that nobody waits beside it: each try is the first of a task.
fn follows(error: &Error, pause: Duration) -> Follows {
    match verdict(error, 1, Duration::ZERO, &RetryPolicy::default(), rand::random()) {
        Verdict::Again { after } | Verdict::Later { after, .. } => Follows::Again(after.max(pause)),
        Verdict::StopKey { .. } => Follows::Again(KEY_PAUSE),
        Verdict::TooLong | Verdict::End { .. } => Follows::Never,
    }
}

/// An error and its causes in one line, without secrets: a provider may repeat what it was sent.
fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    hive_telemetry::redact(&text).chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_thirty_two_times_the_first() {
        let policy = BatchPolicy { size: 1, after: Duration::ZERO, poll: Duration::from_secs(30) };
        let pauses: Vec<u64> = [0, 2, 3, 6, 15, 1_000_000].map(|n| policy.pause(n).as_secs()).into();
        assert_eq!(pauses, [30, 30, 60, 120, 960, 960]);
        assert_eq!(policy.patience(), Duration::from_secs(60));
    }
}
