//! Who watches which task in this process. One subscription serves all watchers: a message about a task wakes the
//! watchers of that task, and they read Postgres. A message is a hint: those that are lost cost latency only, since
//! a watcher also looks by itself, more often while no hints can arrive.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hive_domain::TaskId;
use hive_queue::{Notice, Subscription};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Streams of one process at most: each holds a connection and asks Postgres now and then.
pub const MAX_WATCHERS: usize = 1_000;
/// How often a watcher looks by itself while hints arrive.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often it looks while they do not.
const LOOK_EVERY_WITHOUT_HINTS: Duration = Duration::from_secs(1);

/// The watchers of this process.
#[derive(Debug)]
pub struct Live {
    shared: Arc<Shared>,
    seats: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Shared {
    // Protects the list between watchers that come and go and the one listener; never held over an await.
    tasks: Mutex<HashMap<TaskId, watch::Sender<()>>>,
    hints_arrive: AtomicBool,
}

#[derive(Deserialize)]
struct Update {
    task_id: TaskId,
}

impl Default for Live {
    fn default() -> Self {
        Self { shared: Arc::default(), seats: Arc::new(Semaphore::new(MAX_WATCHERS)) }
    }
}

impl Live {
    /// A watcher of `task`; `None` when [`MAX_WATCHERS`] are there already.
    pub fn watch(&self, task: TaskId) -> Option<Watcher> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        let woken = self.shared.tasks().entry(task).or_insert_with(|| watch::Sender::new(())).subscribe();
        metrics::gauge!("hive_event_streams").increment(1.0);
        Some(Watcher { task, woken, shared: Arc::clone(&self.shared), _seat: seat })
    }

    /// A place among the streams of this process; `None` when [`MAX_WATCHERS`] are there already.
    pub fn seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).try_acquire_owned().ok()
    }

    /// Notes whether Redis answers. When it stops doing so, every watcher looks at once and then more often.
    pub fn hints_arrive(&self, yes: bool) {
        if self.shared.hints_arrive.swap(yes, Ordering::Relaxed) && !yes {
            self.shared.wake_all();
        }
    }

    /// Hands on what the subscription yields, until it is dropped.
    pub async fn listen(&self, mut updates: Subscription) {
        loop {
            match updates.recv().await {
                Notice::Gap => self.shared.wake_all(),
                Notice::Message { payload, .. } => match serde_json::from_str(&payload) {
                    Ok(Update { task_id }) => self.shared.wake(task_id),
                    Err(error) => tracing::debug!(%error, "An update could not be read and was passed over"),
                },
            }
        }
    }
}

impl Shared {
    fn tasks(&self) -> MutexGuard<'_, HashMap<TaskId, watch::Sender<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, task: TaskId) {
        if let Some(watchers) = self.tasks().get(&task) {
            watchers.send_replace(());
        }
    }

    fn wake_all(&self) {
        for watchers in self.tasks().values() {
            watchers.send_replace(());
        }
    }
}

/// One stream's place among the watchers, given back when it is dropped.
#[derive(Debug)]
pub struct Watcher {
    task: TaskId,
    woken: watch::Receiver<()>,
    shared: Arc<Shared>,
    _seat: OwnedSemaphorePermit,
}

impl Watcher {
    /// Returns when the task may have changed since the last call.
    pub async fn changed(&mut self) {
        let look = if self.shared.hints_arrive.load(Ordering::Relaxed) {
            LOOK_EVERY
        } else {
            LOOK_EVERY_WITHOUT_HINTS
        };
        // The sender lives as long as there is a watcher, so the only end of this wait is a hint or the clock.
        drop(tokio::time::timeout(look, self.woken.changed()).await);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut tasks = self.shared.tasks();
        // This one's own receiver is still counted.
        if tasks.get(&self.task).is_some_and(|watchers| watchers.receiver_count() <= 1) {
            tasks.remove(&self.task);
        }
        drop(tasks);
        metrics::gauge!("hive_event_streams").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hint_wakes_the_watchers_of_its_task_alone() {
        let live = Live::default();
        live.hints_arrive(true);
        let (one, other) = (TaskId::new(), TaskId::new());
        let mut watchers = [live.watch(one).unwrap(), live.watch(one).unwrap(), live.watch(other).unwrap()];
        let start = tokio::time::Instant::now();
        live.shared.wake(one);
        watchers[0].changed().await;
        watchers[1].changed().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        watchers[2].changed().await;
        assert_eq!(start.elapsed(), LOOK_EVERY);
    }

    #[tokio::test(start_paused = true)]
    async fn without_hints_a_watcher_looks_by_itself() {
        let live = Live::default();
        live.hints_arrive(true);
        let mut watcher = live.watch(TaskId::new()).unwrap();
        live.hints_arrive(false);
        let start = tokio::time::Instant::now();
        watcher.changed().await;
        assert_eq!(start.elapsed(), Duration::ZERO, "the loss itself wakes");
        watcher.changed().await;
        assert_eq!(start.elapsed(), LOOK_EVERY_WITHOUT_HINTS);
    }

    #[test]
    fn seats_are_bounded_and_given_back() {
        let live = Live::default();
        let task = TaskId::new();
        let all: Vec<_> = (0..MAX_WATCHERS).map(|_| live.watch(task).unwrap()).collect();
        assert!(live.watch(task).is_none());
        drop(all);
        assert!(live.shared.tasks().is_empty());
        assert!(live.watch(task).is_some());
    }
}
