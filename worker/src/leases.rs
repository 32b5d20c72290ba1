//! The leases this worker holds: renewed together, and the news of a lost one told to its run.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fail::fail_point;
use hive_agent::{Control, TASK_UPDATES};
use hive_domain::{MessagePolicy, TaskId};
use hive_queue::{Notice, Queue};
use hive_store::{Store, WorkerReport, lease::RENEW_EVERY};
use serde::Deserialize;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::meter;

/// What takes longer waits on a connection that is no more.
const RENEW_WITHIN: Duration = Duration::from_secs(2);
/// The pause before leases are offered again to a database that is away.
const OFFER_AGAIN: Duration = Duration::from_millis(100);

/// The runs of this process. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Leases {
    // Protects the map of running tasks; never held over an await.
    runs: Arc<Mutex<HashMap<TaskId, Held>>>,
    halted: CancellationToken,
}

struct Held {
    epoch: i64,
    control: Control,
}

/// A registered run; forgotten when dropped.
pub(crate) struct Registered {
    leases: Leases,
    task: TaskId,
    epoch: i64,
}

#[derive(Deserialize)]
struct Update {
    task_id: TaskId,
    status: Option<String>,
    /// Set by a person's message: what it does to a run at work.
    message: Option<MessagePolicy>,
}

impl Leases {
    pub(crate) fn register(
        &self,
        task: TaskId,
        epoch: i64,
        drain: &CancellationToken,
    ) -> (Registered, Control) {
        let control = Control { drain: drain.clone(), ..Control::default() };
        let held = Held { epoch, control: control.clone() };
        self.with(|runs| {
            // An answer that comes late: under the lock, so that either this or the halt sees the other.
            if self.halted.is_cancelled() {
                held.control.halt.cancel();
            }
            runs.insert(task, held)
        });
        meter::running(self.count());
        (Registered { leases: self.clone(), task, epoch }, control)
    }

    pub(crate) fn count(&self) -> usize {
        self.with(|runs| runs.len())
    }

    /// Whether a run of this process has this lease.
    pub(crate) fn holds(&self, task: TaskId, epoch: i64) -> bool {
        self.with(|runs| runs.get(&task).is_some_and(|held| held.epoch == epoch))
    }

    /// Ends every call and command in flight, and every run that begins from now on; they hand their tasks back.
    pub(crate) fn halt_all(&self) {
        self.halted.cancel();
        self.with(|runs| runs.values().for_each(|held| held.control.halt.cancel()));
    }

    /// Keeps renewing until `stop`, whatever happens to one renewal.
    pub(crate) async fn keep_renewed(
        self,
        store: Store,
        report: WorkerReport,
        drain: CancellationToken,
        stop: CancellationToken,
    ) {
        while !stop.is_cancelled() {
            let renewing = self.clone().renew(store.clone(), report.clone(), drain.clone(), stop.clone());
            if let Err(error) = tokio::spawn(renewing).await {
                tracing::error!("the renewal of leases ended and begins anew: {error}");
            }
        }
    }

    /// Renews all leases every [`RENEW_EVERY`], until `stop`. A database that is away costs nothing but time: every
    /// write is fenced, and a lease that ran out meanwhile is noticed by the next renewal. It is asked again at once,
    /// so that it learns of the living before somebody takes their tasks for orphans.
    async fn renew(
        self,
        store: Store,
        mut report: WorkerReport,
        drain: CancellationToken,
        stop: CancellationToken,
    ) {
        let mut tick = tokio::time::interval(RENEW_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = stop.cancelled() => return,
            }
            let held: Vec<(TaskId, i64)> =
                self.with(|runs| runs.iter().map(|(task, held)| (*task, held.epoch)).collect());
            if !held.is_empty() {
                fail_point!("renew::before", |_| std::process::abort());
                match timeout(RENEW_WITHIN, store.renew(&held)).await {
                    Ok(Ok(renewed)) => {
                        fail_point!("renew::committed", |_| std::process::abort());
                        let renewed: std::collections::HashSet<TaskId> = renewed.into_iter().collect();
                        for (task, epoch) in held.into_iter().filter(|(task, _)| !renewed.contains(task)) {
                            self.lose(task, Some(epoch), "it was taken over or has ended");
                        }
                    }
                    Ok(Err(error)) => {
                        tracing::warn!("leases could not be renewed and are offered again: {error}");
                        tick.reset_after(OFFER_AGAIN);
                        continue;
                    }
                    Err(_) => {
                        tracing::warn!("leases could not be renewed in time and are offered again");
                        tick.reset_after(OFFER_AGAIN);
                        continue;
                    }
                }
            }
            report.draining = drain.is_cancelled();
            match timeout(RENEW_WITHIN, store.report_worker(&report)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::debug!("the worker could not report itself: {error}"),
                Err(_) => tracing::debug!("the worker could not report itself in time"),
            }
        }
    }

    /// Listens for cancelled tasks, so that their commands die within a moment instead of at the next renewal, and for
    /// messages that interrupt.
    pub(crate) async fn listen(self, queue: Queue) {
        let mut updates = queue.subscribe(&[TASK_UPDATES]);
        loop {
            if let Notice::Message { payload, .. } = updates.recv().await
                && let Ok(update) = serde_json::from_str::<Update>(&payload)
            {
                if update.status.as_deref() == Some("cancelled") {
                    self.lose(update.task_id, None, "it was cancelled");
                }
                if update.message.is_some_and(MessagePolicy::interrupts) {
                    self.with(|runs| {
                        if let Some(held) = runs.get(&update.task_id) {
                            held.control.interrupt.notify_one();
                        }
                    });
                }
            }
        }
    }

    fn lose(&self, task: TaskId, epoch: Option<i64>, why: &str) {
        let control = self.with(|runs| {
            let held = runs.get(&task)?;
            epoch.is_none_or(|epoch| epoch == held.epoch).then(|| held.control.clone())
        });
        // Told once: a run that is still being stopped appears in the next renewal too.
        if let Some(control) = control.filter(|control| !control.lost.is_cancelled()) {
            meter::lease_lost();
            tracing::warn!(task.id = %task, "Lost the lease of task {task}: {why}");
            control.lost.cancel();
            control.halt.cancel();
        }
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<TaskId, Held>) -> T) -> T {
        look(&mut self.runs.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let (task, epoch) = (self.task, self.epoch);
        self.leases.with(|runs| {
            if runs.get(&task).is_some_and(|held| held.epoch == epoch) {
                runs.remove(&task);
            }
        });
        meter::running(self.leases.count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_begins_after_the_halt_is_halted_as_well() {
        let (leases, drain) = (Leases::default(), CancellationToken::new());
        let (early, before) = leases.register(TaskId::new(), 1, &drain);
        assert!(!before.halt.is_cancelled());
        leases.halt_all();
        let (late, after) = leases.register(TaskId::new(), 1, &drain);
        assert!(before.halt.is_cancelled() && after.halt.is_cancelled());
        assert!(leases.holds(early.task, 1) && !leases.holds(early.task, 2));
        drop((early, late));
        assert_eq!(leases.count(), 0);
    }
}
