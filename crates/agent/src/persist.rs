//! What a run writes: steps and other verbs, offered again while the database is away.

use std::time::Duration;

use fail::fail_point;
use hive_domain::journal::Entry;
use hive_store::NewStep;
use tokio::time::Instant;

use crate::{
    meter,
    run::{Activation, Stopped, TASK_UPDATES},
};

/// How long a result that is in memory is offered to a database that is away: it is paid for.
pub(crate) const STORE_PATIENCE: Duration = Duration::from_secs(120);

impl Activation<'_> {
    /// Appends an entry of the harness.
    pub(crate) async fn note(&mut self, entry: Entry) -> Result<(), Stopped> {
        let level = matches!(entry, Entry::Checks(_)).then(|| self.agent.sandbox.level().to_string());
        let step = NewStep { sandbox: level.as_deref(), ..NewStep::plain(&entry) };
        self.append(&step).await?;
        self.transcript.push(entry);
        Ok(())
    }

    /// Appends a step. A database that is away is asked again: what is in memory is paid for.
    pub(crate) async fn append(&mut self, step: &NewStep<'_>) -> Result<(), Stopped> {
        let deadline = Instant::now() + STORE_PATIENCE;
        fail_point!("append::before", |_| std::process::abort());
        loop {
            match self.agent.store.append(self.lease, step).await {
                Ok(edge) => {
                    fail_point!("append::committed", |_| std::process::abort());
                    self.halted = edge.halted;
                    meter::step(step.entry.kind(), self.last_step.elapsed());
                    self.last_step = Instant::now();
                    self.nudge().await;
                    return Ok(());
                }
                Err(error) => pause_or_stop(error, deadline).await?,
            }
        }
    }

    /// Tells watchers that there is something to read.
    pub(crate) async fn nudge(&self) {
        let nudge = format!("{{\"task_id\":\"{}\"}}", self.lease.task());
        self.agent.queue.notify(TASK_UPDATES, &nudge).await;
    }

    /// The same for any other verb.
    pub(crate) async fn persist<T, F>(&self, verb: impl Fn() -> F) -> Result<T, Stopped>
    where
        F: Future<Output = hive_store::Result<T>>,
    {
        let deadline = Instant::now() + STORE_PATIENCE;
        loop {
            match verb().await {
                Ok(value) => return Ok(value),
                Err(error) => pause_or_stop(error, deadline).await?,
            }
        }
    }
}

pub(crate) async fn pause_or_stop(error: hive_store::Error, deadline: Instant) -> Result<(), Stopped> {
    match error {
        hive_store::Error::Fenced { .. } => Err(Stopped::Lost),
        error if error.is_unavailable() && Instant::now() < deadline => {
            tracing::warn!("the database is away; the step is offered again: {error}");
            tokio::time::sleep(Duration::from_millis(250)).await;
            Ok(())
        }
        error => Err(Stopped::Store(error)),
    }
}
