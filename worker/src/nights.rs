//! Nights: consolidations of memories, one at a time in each worker. A worker takes the one that is due, does phase after
//! phase, and gives it back while the model is thought to answer. All it knows lies in Postgres, so that another goes on
//! wherever it stopped.

mod extract;
mod publish;
mod request;
mod tidy;

use std::{sync::Arc, time::Duration};

use hive_agent::ModelBook;
use hive_domain::CyclePhase;
use hive_embed::Embedder;
use hive_memory::night::Flaw;
use hive_store::{CycleLease, PhaseEnd, Store};
use serde_json::json;
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::meter;

/// How often a worker looks whether a night is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the lease is renewed; a quarter of the time after which another worker takes over.
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Pause before a night goes on that a passing failure stopped.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// Entries of one memory that a night looks at; what is beyond them, it skips and says so.
const MOST_ITEMS: i64 = 20_000;
/// Journals and entries that nights failed over, of which is known.
const MOST_FAILED: i64 = 10_000;

/// What one worker does for nights.
pub(crate) struct Nights {
    pub(crate) store: Store,
    /// Which model is asked.
    pub(crate) book: Arc<ModelBook>,
    /// Who holds the leases.
    pub(crate) worker: String,
    /// How often answers of the model are looked for.
    pub(crate) look: Duration,
    /// The embedded model, loaded by the first night that asks questions.
    embedder: OnceCell<Option<Embedder>>,
}

/// How far a night has come.
enum Step {
    /// To its next phase.
    Next,
    /// It goes on after this time.
    Later(Duration),
    /// Its model's answer cannot be taken; the tasks and entries that it is about, if these are to blame.
    Failed(String, Vec<Uuid>),
}

/// A night and the time that is left of it.
struct Course {
    lease: CycleLease,
    deadline: Instant,
}

impl Course {
    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

impl Nights {
    pub(crate) fn new(store: Store, book: Arc<ModelBook>, worker: String, look: Duration) -> Self {
        Self { store, book, worker, look, embedder: OnceCell::new() }
    }

    /// Goes on until the process is asked to stop. What is cut then is gone on with by another worker.
    pub(crate) async fn keep(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let lease = match self.store.take_cycle(&self.worker).await {
                Ok(lease) => lease,
                // Postgres being away is said by its own component.
                Err(error) => {
                    tracing::debug!("whether a night is due is not known: {error}");
                    None
                }
            };
            let Some(lease) = lease else {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = sleep(LOOK_EVERY) => {}
                }
                continue;
            };
            let id = lease.cycle.id;
            let (worker, epoch) = (lease.holder().0.to_owned(), lease.holder().1);
            // A task of its own, so that a panic ends one turn and not all of them.
            let this = Arc::clone(&self);
            let mut turn = tokio::spawn(async move { this.turn(lease).await });
            tokio::select! {
                () = stop.cancelled() => {
                    turn.abort();
                    // Only when it has ended nothing more is written under the lease; then another worker need not wait.
                    drop((&mut turn).await);
                    self.hand_back(id, (&worker, epoch), Duration::ZERO).await;
                }
                ended = &mut turn => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(cycle.id = %id, "a night goes on later: {error}"),
                    Err(error) => tracing::error!(cycle.id = %id, "A turn of a night ended in a panic: {error}"),
                },
                () = self.lose(id, &worker, epoch) => {
                    turn.abort();
                    drop((&mut turn).await);
                    tracing::warn!(cycle.id = %id, "The lease of a night is lost; whoever holds it now goes on");
                    // If it was only slow to be renewed, the night has lost no worker.
                    self.hand_back(id, (&worker, epoch), AFTER_FAILURE).await;
                }
            }
        }
    }

    /// Gives up a lease, if it is still held.
    async fn hand_back(&self, id: hive_domain::CycleId, lease: (&str, i64), after: Duration) {
        let given = tokio::time::timeout(RENEW_EVERY, self.store.hand_back_cycle(id, lease, after));
        match given.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("the lease of a night ends by itself: {error}"),
            Err(_) => tracing::debug!("the lease of a night ends by itself: Postgres does not answer"),
        }
    }

    /// Ends when the lease is lost, or may be.
    async fn lose(&self, id: hive_domain::CycleId, worker: &str, epoch: i64) {
        loop {
            sleep(RENEW_EVERY).await;
            match tokio::time::timeout(RENEW_EVERY, self.store.renew_cycle(id, (worker, epoch))).await {
                Ok(Ok(true)) => {}
                _ => return,
            }
        }
    }

    /// Phases until the night is over or has to wait.
    async fn turn(&self, lease: CycleLease) -> hive_store::Result<()> {
        let left = Duration::try_from_secs_f64(lease.seconds_left.max(0.0)).unwrap_or_default();
        let mut phase = lease.cycle.phase;
        let course = Course { deadline: Instant::now() + left, lease };
        while phase != CyclePhase::Publish {
            match self.phase(&course, phase).await {
                Ok(Step::Next) => {}
                Ok(Step::Later(after)) => return self.store.leave_cycle(course.lease, after).await,
                Ok(Step::Failed(why, over)) => return self.fail(course.lease, &why, &over).await,
                Err(error) if error.is_unavailable() => {
                    tracing::debug!("a phase of a night is done again: {error}");
                    return self.store.leave_cycle(course.lease, AFTER_FAILURE).await;
                }
                Err(hive_store::Error::Conflict { code: "sleep_cycle_fenced", message }) => {
                    tracing::debug!("{message}");
                    return Ok(());
                }
                Err(error) => {
                    let why = format!("the phase {phase} could not be done: {error}");
                    return self.fail(course.lease, &why, &[]).await;
                }
            }
            tracing::info!(cycle.id = %course.lease.cycle.id, "A night has done the phase {phase}");
            let Some(next) = phase.next() else { break };
            phase = next;
        }
        self.publish(course).await
    }

    async fn phase(&self, course: &Course, phase: CyclePhase) -> hive_store::Result<Step> {
        match phase {
            CyclePhase::Extract => self.extract(course).await,
            CyclePhase::Dedupe => self.dedupe(course).await,
            CyclePhase::Merge => self.merge(course).await,
            CyclePhase::Contradict => self.contradict(course).await,
            CyclePhase::Promote => self.promote(course).await,
            CyclePhase::Decay | CyclePhase::Publish => self.decay(course).await,
        }
    }

    /// Writes what a phase did.
    async fn done(&self, course: &Course, phase: CyclePhase, end: &PhaseEnd) -> hive_store::Result<Step> {
        boundary(phase);
        self.store.finish_phase(&course.lease, phase, end).await?;
        fail::fail_point!("night::marked", |_| std::process::abort());
        Ok(Step::Next)
    }

    /// Leaves a phase undone since the time of the night is over.
    async fn out_of_time(&self, course: &Course, phase: CyclePhase) -> hive_store::Result<Step> {
        let skipped = json!({ "phase": phase, "what": "the phase", "count": 1, "why": "time" });
        let end = PhaseEnd { skipped: vec![skipped], stopped_by: Some("time"), ..PhaseEnd::default() };
        self.done(course, phase, &end).await
    }

    async fn fail(&self, lease: CycleLease, why: &str, over: &[Uuid]) -> hive_store::Result<()> {
        let id = lease.cycle.id;
        let ended = self.store.fail_cycle(lease, why, over).await?;
        meter::night(ended.state.as_str());
        tracing::warn!(cycle.id = %id, "A night failed, and changed nothing: {why}");
        Ok(())
    }
}

/// Before the mark of each phase, for the tests of recovery.
fn boundary(phase: CyclePhase) {
    use fail::fail_point;
    match phase {
        CyclePhase::Extract => fail_point!("night::extract", |_| std::process::abort()),
        CyclePhase::Dedupe => fail_point!("night::dedupe", |_| std::process::abort()),
        CyclePhase::Merge => fail_point!("night::merge", |_| std::process::abort()),
        CyclePhase::Contradict => fail_point!("night::contradict", |_| std::process::abort()),
        CyclePhase::Promote => fail_point!("night::promote", |_| std::process::abort()),
        CyclePhase::Decay => fail_point!("night::decay", |_| std::process::abort()),
        CyclePhase::Publish => fail_point!("night::publish", |_| std::process::abort()),
    }
}

/// The words for an answer that cannot be taken.
fn flawed(phase: CyclePhase, flaw: &Flaw, over: Vec<Uuid>) -> Step {
    Step::Failed(format!("{phase}: {flaw}"), over)
}
