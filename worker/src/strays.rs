//! Claims whose answer got lost: Postgres has the task under this worker's name, and no run knows of it. The worker
//! looks for them whenever it got no answer, and hands them back.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use hive_domain::TaskId;
use hive_queue::Queue;
use hive_store::{Error, Store};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{jobs::run_task::ticket, leases::Leases, meter};

/// How long after a question that got no answer its tasks are looked for: what Postgres still does for a connection that
/// is gone ends with the timeout of its statement, and is seen by the look after it.
const DOUBT: Duration = Duration::from_secs(8);
/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What takes longer waits on a connection that is no more.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// The questions of this process that claim tasks, and what came of those without an answer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Strays(Arc<Inner>);

struct Inner {
    worker: Arc<str>,
    /// When this process began, by the database's clock: what a namesake held before it is none of its business.
    since: DateTime<Utc>,
    // Protects numbers, times and ids; held for a few instructions.
    state: Mutex<State>,
    unanswered: Notify,
}

#[derive(Default)]
struct State {
    next: u64,
    under_way: BTreeSet<u64>,
    doubt_until: Option<Instant>,
    /// Tasks without a run, and the first question that cannot have claimed them.
    suspects: HashMap<(TaskId, i64), u64>,
}

/// A question that may claim tasks. It is under way until the last clone is dropped, which comes after the start of
/// each run that it leads to.
#[derive(Clone)]
pub(crate) struct Question(Arc<Asked>);

struct Asked {
    strays: Strays,
    number: u64,
}

impl Question {
    /// No answer came: what was claimed is unknown.
    pub(crate) fn failed(&self, error: &Error) {
        // What was refused claimed nothing, and a row that cannot be read is not to be claimed again and again.
        if error.is_unavailable() {
            self.0.strays.with(|state| state.doubt_until = Some(Instant::now() + DOUBT));
            self.0.strays.0.unanswered.notify_one();
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.strays.with(|state| state.under_way.remove(&self.number));
    }
}

impl State {
    /// The oldest question under way and the one to come.
    fn questions(&self) -> (u64, u64) {
        (self.under_way.first().copied().unwrap_or(self.next), self.next)
    }

    /// Of the tasks that Postgres said are ours before `next` was asked, and that have no run, those that no question
    /// from `first_under_way` on can lead to. The others stay suspects.
    fn sort_out(
        &mut self,
        without_run: Vec<(TaskId, i64)>,
        (first_under_way, next): (u64, u64),
    ) -> Vec<(TaskId, i64)> {
        let known = std::mem::take(&mut self.suspects);
        let (strays, suspects): (Vec<_>, Vec<_>) = without_run
            .into_iter()
            .map(|claim| (claim, known.get(&claim).copied().unwrap_or(next)))
            .partition(|(_, asked_before)| *asked_before <= first_under_way);
        self.suspects = suspects.into_iter().collect();
        strays.into_iter().map(|(claim, _)| claim).collect()
    }
}

impl Strays {
    pub(crate) fn new(worker: Arc<str>, since: DateTime<Utc>) -> Self {
        Self(Arc::new(Inner { worker, since, state: Mutex::default(), unanswered: Notify::new() }))
    }

    /// Begins a question that may claim tasks.
    pub(crate) fn ask(&self) -> Question {
        let number = self.with(|state| {
            let number = state.next;
            state.next += 1;
            state.under_way.insert(number);
            number
        });
        Question(Arc::new(Asked { strays: self.clone(), number }))
    }

    /// Looks for strays while there is doubt, until `stop`.
    pub(crate) async fn keep_handing_back(
        self,
        store: Store,
        queue: Queue,
        leases: Leases,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = self.0.unanswered.notified() => {}
                () = stop.cancelled() => return,
            }
            loop {
                let doubted =
                    self.with(|state| state.doubt_until.is_some_and(|until| Instant::now() < until));
                let looked = self.look(&store, &queue, &leases).await;
                if looked && !doubted && self.with(|state| state.suspects.is_empty()) {
                    break;
                }
                tokio::select! {
                    () = sleep(LOOK_EVERY) => {}
                    () = stop.cancelled() => return,
                }
            }
        }
    }

    /// The look of a worker that ends: it hands back what it holds without a run, answered or not.
    pub(crate) async fn leave(&self, store: &Store, queue: &Queue, leases: &Leases) {
        let doubts = self.with(|state| {
            let doubts = state.doubt_until.is_some() || !state.under_way.is_empty();
            // A run that an answer would still lead to ends with the process.
            state.under_way.clear();
            doubts
        });
        if doubts {
            self.look(store, queue, leases).await;
        }
    }

    /// One look; false when it could not be had.
    async fn look(&self, store: &Store, queue: &Queue, leases: &Leases) -> bool {
        match timeout(LOOK_WITHIN, self.hand_back(store, queue, leases)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::debug!("tasks whose claim got no answer are looked for again: {error}");
                false
            }
            Err(_) => false,
        }
    }

    async fn hand_back(&self, store: &Store, queue: &Queue, leases: &Leases) -> Result<(), Error> {
        let mut claims = store.claims_not_renewed(&self.0.worker, self.0.since).await?;
        // Those that were renewed here are known from the look before.
        claims.extend(self.with(|state| state.suspects.keys().copied().collect::<Vec<_>>()));
        claims.sort_unstable();
        claims.dedup();
        // In this order: a question is under way until its runs have begun.
        let questions = self.with(|state| state.questions());
        claims.retain(|(task, epoch)| !leases.holds(*task, *epoch));
        let strays = self.with(|state| state.sort_out(claims, questions));
        let suspects: Vec<_> = self.with(|state| state.suspects.keys().copied().collect());
        if !suspects.is_empty() {
            // Nobody is to take them for orphans meanwhile.
            let held = store.renew(&suspects).await?;
            self.with(|state| state.suspects.retain(|(task, _), _| held.contains(task)));
        }
        if !strays.is_empty() {
            let handed_back = store.hand_back_strays(&self.0.worker, &strays).await?;
            meter::strays(handed_back.len());
            for stray in &handed_back {
                tracing::warn!(task.id = %stray.task, "Handed back task {}: the answer to its claim got lost", stray.task);
            }
            let tickets: Vec<_> = handed_back.into_iter().map(ticket).collect();
            queue.announce(&tickets).await;
        }
        Ok(())
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_a_stray_when_no_question_can_still_lead_to_it() {
        let strays = Strays::new("w".into(), DateTime::UNIX_EPOCH);
        let claims = || vec![(TaskId::from(uuid::Uuid::from_u128(1)), 1)];
        let look = |without_run| {
            strays.with(|state| {
                let questions = state.questions();
                state.sort_out(without_run, questions)
            })
        };
        let early = strays.ask();
        let answered = early.clone();
        drop(early);
        assert_eq!(look(claims()), [], "its answer may be on the way");
        let _late = strays.ask();
        drop(answered);
        assert_eq!(look(claims()), claims(), "the late question was asked when it was bound already");
        assert_eq!(look(Vec::new()), [], "what has a run by now is no suspect any more");
        assert_eq!(look(claims()), [], "and is looked at anew");
    }
}
