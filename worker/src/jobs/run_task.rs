//! One activation of a task: claim, run, settle.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use fail::fail_point;
use futures::FutureExt;
use hive_agent::{Agent, Stopped, TASK_UPDATES, failed_try};
use hive_domain::{ErrorClass, Lease, Outcome, TaskId, journal::TaskResult, task::Task};
use hive_queue::{Queue, Ticket};
use hive_store::{Announcement, Claimant, Store, lease::LEASE_SECONDS};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    leases::Leases,
    meter,
    strays::{Question, Strays},
};

/// What a ticket needs to become an outcome. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RunTask {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) agent: Arc<Agent>,
    pub(crate) leases: Leases,
    pub(crate) strays: Strays,
    pub(crate) drain: CancellationToken,
    pub(crate) claimant: Claimant,
}

impl RunTask {
    /// Follows a ticket. The row decides: a ticket without a task that is ready is stale, and dropped.
    pub(crate) async fn follow(&self, ticket: Ticket) {
        let task = TaskId::from(ticket.task_id);
        fail_point!("claim::before", |_| std::process::abort());
        let (question, asked) = (self.strays.ask(), Instant::now());
        let lease = match self.store.claim(task, ticket.epoch, &self.claimant).await {
            Ok(Some(lease)) => lease,
            Ok(None) => {
                meter::stale();
                return;
            }
            Err(error) => {
                // The task stays ready and the reconciler announces it again, or only the answer was lost.
                question.failed(&error);
                tracing::warn!(task.id = %task, "Task {task} could not be claimed: {error}");
                return;
            }
        };
        meter::claim(asked.elapsed());
        self.run(lease, question).await;
    }

    /// Runs a claimed task and settles what came of it. `question` is the one that claimed it.
    pub(crate) async fn run(&self, lease: Lease<Task>, question: Question) {
        let task = lease.task();
        meter::waited(&lease);
        let span = tracing::info_span!(
            "run",
            task.id = %task,
            run.id = lease.run_id(),
            trace.id = %task.uuid().simple(),
        );
        fail_point!("claim::committed", |_| std::process::abort());
        self.hold(lease, question).instrument(span).await;
    }

    async fn hold(&self, mut lease: Lease<Task>, question: Question) {
        let started = Instant::now();
        let (registered, control) = self.leases.register(lease.task(), lease.epoch(), &self.drain);
        drop(question);
        let outcome = if control.halt.is_cancelled() {
            // The answer came when all runs had been ended.
            Ok(Outcome::Yield)
        } else if lease.leased.duty.is_some() {
            // The only duty does nothing: it is the operator's probe of the whole way.
            let summary = "the noop duty did nothing".to_owned();
            Ok(Outcome::Done(TaskResult { summary, ..TaskResult::default() }))
        } else {
            tracing::info!("Started task {}", lease.task());
            self.nudge(lease.task(), "running").await;
            let run = AssertUnwindSafe(self.agent.run(&mut lease, &control)).catch_unwind().await;
            // A defect of ours is a failed try at once, not a worker that seems to have died.
            run.unwrap_or_else(|_| {
                let detail = "the run panicked; the worker's log says where".to_owned();
                Ok(failed_try(&lease, ErrorClass::Panic, None, detail))
            })
        };
        match outcome {
            Ok(outcome) => self.settle(&lease, &outcome).await,
            Err(Stopped::Lost) => tracing::warn!("Stopped task {}: its lease is lost", lease.task()),
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::error!("Task {} is left to another worker: {error}: {source}", lease.task());
            }
        }
        drop(registered);
        meter::ran(started.elapsed());
    }

    async fn settle(&self, lease: &Lease<Task>, outcome: &Outcome) {
        /// How long an outcome is offered to a database that is away. The task is only taken over by a database that
        /// is there, so waiting longer than the lease loses nothing.
        const PATIENCE: Duration = Duration::from_secs(12 * LEASE_SECONDS as u64);
        let deadline = Instant::now() + PATIENCE;
        fail_point!("settle::before", |_| std::process::abort());
        let offered = Instant::now();
        let settled = loop {
            match self.store.settle(lease, outcome).await {
                Ok(settled) => break settled,
                Err(error) if error.is_unavailable() && Instant::now() < deadline => {
                    tracing::warn!("the database is away; the outcome is offered again: {error}");
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Err(error) => {
                    tracing::warn!("Task {} was not settled here: {error}", lease.task());
                    return;
                }
            }
        };
        fail_point!("settle::committed", |_| std::process::abort());
        meter::settled(outcome, settled.status, offered.elapsed());
        if lease.leased.duty.is_none() {
            tracing::info!(
                status = settled.status.as_str(),
                "Settled task {} as {}",
                lease.task(),
                settled.status
            );
        }
        self.nudge(lease.task(), settled.status.as_str()).await;
        if let Some(again) = settled.again {
            self.queue.announce(&[ticket(again)]).await;
        }
        if let Some(key) = settled.freed_key {
            // Only for speed: the reconciler looks at every key.
            match self.store.admit(&[key]).await {
                Ok(admitted) => {
                    let tickets: Vec<_> = admitted.into_iter().map(ticket).collect();
                    self.queue.announce(&tickets).await;
                }
                Err(error) => tracing::debug!("a place of a key is given away later: {error}"),
            }
        }
        fail_point!("release::before", |_| std::process::abort());
        if settled.has_dependents
            && let Err(error) = self.store.release_dependents(Some(lease.task())).await
        {
            tracing::warn!("dependents are left to the reconciler: {error}");
        }
    }

    async fn nudge(&self, task: TaskId, status: &str) {
        self.queue.notify(TASK_UPDATES, &format!("{{\"task_id\":\"{task}\",\"status\":\"{status}\"}}")).await;
    }
}

pub(crate) fn ticket(of: Announcement) -> Ticket {
    Ticket::new(of.task.uuid(), of.epoch, of.priority.into(), of.isolated)
}
