//! The last phase: the gate, and the switch.

use std::time::Duration;

use hive_domain::{CyclePhase, CycleState};
use hive_embed::{Config, Embedder, Kind, MINI_LM};
use hive_memory::night::{Gate, score};
use hive_store::{CycleLease, EmbeddingModel, FeedEntry, GateFinding, NightProbe};
use tokio::time::{Instant, sleep};

use super::{AFTER_FAILURE, Course, Nights, boundary};
use crate::meter;

/// How long the gate waits for vectors of what the night brought; then it asks without them.
const VECTORS_WITHIN: Duration = Duration::from_secs(60);
/// How often it looks for them.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Entries that are read at a time.
const PAGE: i64 = 1_000;
/// How long the gate may be out of reach once the time of the night is over.
const GRACE: Duration = Duration::from_secs(600);

impl Nights {
    pub(super) async fn publish(&self, course: Course) -> hive_store::Result<()> {
        let id = course.lease.cycle.id;
        let gate = match self.gate(&course).await {
            Ok(gate) => gate,
            Err(error) if error.is_unavailable() && Instant::now() < course.deadline + GRACE => {
                tracing::debug!("the gate of a night is asked again: {error}");
                return self.store.leave_cycle(course.lease, AFTER_FAILURE).await;
            }
            Err(error) => {
                return self.fail(course.lease, &format!("the gate could not be asked: {error}"), &[]).await;
            }
        };
        boundary(CyclePhase::Publish);
        let ended = self.store.publish_cycle(course.lease, &gate).await?;
        fail::fail_point!("night::published", |_| std::process::abort());
        meter::night(ended.state.as_str());
        let counts = ended.counts;
        match ended.state {
            CycleState::RejectedByGate => tracing::warn!(
                cycle.id = %id, "A night is rejected: {:?} of its questions were answered before it and {:?} after it",
                ended.quality_before, ended.quality_after
            ),
            _ => tracing::info!(
                cycle.id = %id, extracted = counts.extracted, merged = counts.merged, superseded = counts.superseded,
                promoted = counts.promoted, decayed = counts.decayed, "A night is published"
            ),
        }
        Ok(())
    }

    async fn gate(&self, course: &Course) -> hive_store::Result<GateFinding> {
        let lease = &course.lease;
        self.store.leave_out_changed(lease).await?;
        let waited = Instant::now();
        while self.store.night_vectors_due(lease).await? > 0 && waited.elapsed() < VECTORS_WITHIN {
            sleep(LOOK_EVERY).await;
        }
        let model = self.store.active_embedding_model().await?;
        let model = model.unwrap_or_else(|| EmbeddingModel { model: MINI_LM.to_owned(), dims: 0 });
        let probes = self.store.keep_probes(lease, &[]).await?;
        let vectors = self.vectors(&model, &probes).await;
        let entries = self.searched(lease, &model.model).await?;
        let heirs = self.store.night_heirs(lease).await?;
        let overtaken = self.store.night_overtaken(lease).await?;
        let (owner, version, at) = (lease.cycle.owner, lease.cycle.version, self.store.now().await?);
        let untouched = |entry: &&FeedEntry| {
            entry.born != Some(version) && entry.died != Some(version) && entry.valid_to.is_none()
        };
        let kept = i32::try_from(entries.iter().filter(untouched).count()).unwrap_or(i32::MAX);
        let dimensions = usize::try_from(model.dims).unwrap_or(0).max(1);
        let scored = tokio::task::spawn_blocking(move || {
            let (entries, heirs, overtaken) = (&entries[..], &heirs[..], &overtaken[..]);
            let gate = Gate { owner, version, entries, heirs, overtaken, dimensions, at };
            score(&gate, &probes, &vectors)
        });
        let probes = match scored.await {
            Ok(scored) => scored,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        Ok(GateFinding { probes, kept })
    }

    /// All that the gate searches, read in pages.
    async fn searched(&self, lease: &CycleLease, model: &str) -> hive_store::Result<Vec<FeedEntry>> {
        let (mut entries, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.gate_feed(lease, model, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(entries) };
            after = Some(last.id);
            entries.extend(page);
        }
    }

    /// The vectors of the questions; none when the memory's vectors are made elsewhere, and the gate goes by words.
    async fn vectors(&self, model: &EmbeddingModel, probes: &[NightProbe]) -> Vec<Vec<f32>> {
        if model.model != MINI_LM || probes.is_empty() {
            return Vec::new();
        }
        let open = || async {
            Embedder::open(&Config::embedded())
                .inspect_err(|error| tracing::error!(%error, "The embedded model does not load"))
                .ok()
        };
        let Some(embedder) = self.embedder.get_or_init(open).await else { return Vec::new() };
        let questions: Vec<String> = probes.iter().map(|probe| probe.question.clone()).collect();
        match embedder.embed(&questions, Kind::Query).await {
            Ok(vectors) => vectors,
            Err(error) => {
                tracing::warn!(%error, "The questions of a gate were not embedded; it goes by words");
                Vec::new()
            }
        }
    }
}
