//! Sending what waits: noted first, then created at the provider.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use hive_claude::{Batch, BatchRequest, Error};
use hive_domain::NanoUsd;
use hive_store::BatchEnd;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Batches, Follows, follows, said};
use crate::meter;

/// The bodies of one batch, in bytes; the service takes 256 MB, and a worker holds them in memory.
const MOST_BYTES: i64 = 32 * 1024 * 1024;
/// How long after it was noted a batch may still be created: well within the lease that the note was written under.
const SURE: Duration = Duration::from_secs(5);
/// How often the pause after a refusal is doubled at most.
const MOST_DOUBLINGS: u32 = 5;
/// From a creation of unknown outcome to the first search.
pub(super) const SEARCH_AFTER: Duration = Duration::from_secs(2);

/// How it is known that a batch at the provider is one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The provider answered the creation with it.
    ByAnswer,
    /// It is the only one of the size and the time.
    BySize,
}

/// When batches are created again after the provider refused.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    until: Option<Instant>,
    refusals: u32,
}

impl Pauses {
    /// After an answer.
    fn clear(&mut self) {
        *self = Self::default();
    }

    /// Nothing is created for this long, or longer after each further refusal. Returns how long.
    fn refused(&mut self, after: Duration, first: Duration) -> Duration {
        let pause = after.max(first.saturating_mul(1 << self.refusals.min(MOST_DOUBLINGS)));
        self.refusals += 1;
        self.until = Instant::now().checked_add(pause);
        pause
    }

    fn is_over(&self) -> bool {
        self.until.is_none_or(|until| until <= Instant::now())
    }
}

impl Batches {
    /// Sends what is due, for each model that something waits for.
    pub(super) async fn send(&self) -> hive_store::Result<()> {
        for waiting in self.store.waiting_for_batches().await? {
            let is_due = waiting.requests >= self.policy.size.into()
                || waiting.oldest_seconds >= self.policy.after.as_secs_f64();
            // One at a time whose creation is in doubt: two of the same size could be taken for each other.
            if is_due
                && self.pauses().is_over()
                && self.store.batches_undecided(self.policy.undecided()).await? == 0
            {
                self.send_for(&waiting.model).await?;
            }
        }
        Ok(())
    }

    async fn send_for(&self, model: &str) -> hive_store::Result<()> {
        let (mut worst_cases, mut bodies) = (BTreeMap::new(), HashMap::new());
        for queued in self.store.queued_for_batch(model, self.policy.size.into(), MOST_BYTES).await? {
            match price(model, &queued.body) {
                Ok((body, worst_case)) => {
                    worst_cases.insert(queued.id, worst_case);
                    bodies.insert(queued.id, body);
                }
                Err(why) => {
                    self.store.refuse_batch_request(queued.id, &why).await?;
                    tracing::warn!(request.id = %queued.id, "A request of a batch cannot be sent: {why}");
                }
            }
        }
        if worst_cases.is_empty() {
            return Ok(());
        }
        let (batch, asked) = (Uuid::now_v7(), Instant::now());
        let members = self.store.begin_batch(&self.worker, &self.key, batch, model, &worst_cases).await?;
        if members.is_empty() || asked.elapsed() > SURE {
            // Frozen since: another worker may be at it. The search finds that it was not created.
            return Ok(());
        }
        let members: Vec<(String, &RawValue)> =
            members.iter().filter_map(|id| Some((id.to_string(), &**bodies.get(id)?))).collect();
        let requests: Vec<BatchRequest<'_>> =
            members.iter().map(|(id, params)| BatchRequest { custom_id: id, params }).collect();
        match self.claude.create_batch(&requests).await {
            Ok(created) => {
                tracing::info!(
                    batch.id = %batch, provider = created.id, requests = requests.len(), "A batch for {model} is created"
                );
                self.pauses().clear();
                self.created(batch, &created, Known::ByAnswer).await
            }
            Err(error) => self.not_created(batch, &error).await,
        }
    }

    /// Notes what a batch is called at the provider.
    pub(super) async fn created(&self, batch: Uuid, created: &Batch, known: Known) -> hive_store::Result<()> {
        let stands =
            self.store.batch_created(batch, &created.id, created.expires_at, self.policy.pause(0)).await?;
        if stands {
            meter::batch(match known {
                Known::ByAnswer => "created",
                Known::BySize => "adopted",
            });
            return Ok(());
        }
        if known == Known::BySize {
            // Perhaps somebody else's: it is left alone.
            tracing::warn!(
                provider = created.id,
                "A batch that may be one that was given up meanwhile is left alone"
            );
            return Ok(());
        }
        // Its requests are in another one, or will be.
        match self.claude.cancel_batch(&created.id).await {
            Ok(_) => tracing::warn!(provider = created.id, "A batch was given up meanwhile and is cancelled"),
            Err(error) => tracing::error!(
                provider = created.id,
                "A batch was given up meanwhile and cannot be cancelled; cancel it at the provider: {}",
                said(&error)
            ),
        }
        Ok(())
    }

    async fn not_created(&self, batch: Uuid, error: &Error) -> hive_store::Result<()> {
        let detail = said(error);
        if !was_refused(error) {
            tracing::warn!(batch.id = %batch, "Whether a batch was created is not known, it is searched for: {detail}");
            return self.store.poll_batch_again(batch, SEARCH_AFTER, Some(&detail)).await;
        }
        match follows(error, self.policy.poll) {
            Follows::Again(after) => {
                let pause = self.pauses().refused(after, self.policy.poll);
                self.give_up(batch, BatchEnd::Unsent, &detail, pause).await
            }
            Follows::Never => self.give_up(batch, BatchEnd::Refused, &detail, self.policy.poll).await,
        }
    }
}

/// What of a body is needed for its price.
#[derive(Deserialize)]
struct Bounds {
    max_tokens: u32,
}

/// What is sent, and what it may cost at most.
fn price(model: &str, body: &str) -> Result<(Box<RawValue>, NanoUsd), String> {
    let Bounds { max_tokens } = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let worst_case = hive_claude::batch_worst_case(model, body.as_bytes(), max_tokens)
        .ok_or_else(|| format!("the model {model} has no price"))?;
    let body = RawValue::from_string(body.to_owned()).map_err(|error| error.to_string())?;
    Ok((body, NanoUsd(worst_case.0)))
}

/// Whether nothing was created for sure: nothing was sent, or the service said no.
fn was_refused(error: &Error) -> bool {
    match error {
        Error::Config(_) | Error::Request(_) | Error::Connect(_) | Error::Late => true,
        Error::Api(error) => matches!(error.status, 400..=499) && !matches!(error.status, 408 | 409),
        Error::Timeout { .. } | Error::Idle { .. } | Error::Cut { .. } | Error::Protocol { .. } => false,
    }
}
