//! What a run writes: steps and other verbs, offered again while the database is away.

use std::time::Duration;

use fail::fail_point;
use hive_domain::{Usage, journal::Entry, transcript::Next};
use hive_store::{CallOutcome, NewStep, NextCall};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    ask::{Asking, Question},
    meter,
    run::{Activation, Stopped, TASK_UPDATES},
};

/// How long a result that is in memory is offered to a database that is away: it is paid for.
pub(crate) const STORE_PATIENCE: Duration = Duration::from_secs(120);

/// What is known of the steps that are written together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks<'a> {
    /// The call that the reply among them answers.
    pub(crate) call: Option<Uuid>,
    /// The workspace after them, when it changed.
    pub(crate) commit: Option<&'a str>,
    /// The sandbox level that their commands ran under.
    pub(crate) sandbox: Option<&'a str>,
}

impl Activation<'_> {
    /// Appends an entry of the harness.
    pub(crate) async fn note(&mut self, entry: Entry) -> Result<(), Stopped> {
        let level = matches!(entry, Entry::Checks(_)).then(|| self.agent.sandbox.level().to_string());
        self.write(vec![entry], &Marks { sandbox: level.as_deref(), ..Marks::default() }).await
    }

    /// Writes entries that follow from one another, and with them the intent of the call that comes next. A database
    /// that is away is asked again: what is in memory is paid for.
    pub(crate) async fn write(&mut self, entries: Vec<Entry>, marks: &Marks<'_>) -> Result<(), Stopped> {
        let before = self.transcript.entries().len();
        for entry in entries {
            self.transcript.push(entry);
        }
        let next = self.foresee();
        let call = next.as_ref().map(|(id, question)| NextCall {
            id: *id,
            model: &question.model,
            request_sha256: &question.digest,
            route: Some(question.choice.route),
            worst_case: question.worst_case,
        });
        let entries = self.transcript.entries().get(before..).unwrap_or_default();
        let steps: Vec<NewStep<'_>> = entries
            .iter()
            .map(|entry| match entry {
                Entry::Reply(_) => NewStep { call: marks.call, ..NewStep::plain(entry) },
                _ => NewStep { commit: marks.commit, sandbox: marks.sandbox, ..NewStep::plain(entry) },
            })
            .collect();
        let deadline = Instant::now() + STORE_PATIENCE;
        fail_point!("append::before", |_| std::process::abort());
        // Before the first offer: it may be the one that was committed.
        let asked = Instant::now();
        let edge = loop {
            match self.agent.store.append_all(self.lease, &steps, call).await {
                Ok(edge) => break edge,
                Err(error) => pause_or_stop(error, deadline).await?,
            }
        };
        fail_point!("append::committed", |_| std::process::abort());
        for entry in entries {
            meter::step(entry.kind(), self.last_step.elapsed());
            self.last_step = Instant::now();
        }
        self.halted = edge.halted;
        self.unread = Some(edge.unread);
        self.noted = next.filter(|_| edge.begun).map(|(call, question)| (call, asked, question));
        self.nudge().await;
        Ok(())
    }

    /// The call that comes next, when nothing stands between.
    fn foresee(&self) -> Option<(Uuid, Question)> {
        let asks = matches!(self.transcript.next(self.has_checks), Next::AskModel | Next::Compact);
        // A run that only verifies asks nothing.
        if !asks
            // Something is put before it first.
            || self.is_time_for_briefing()
            || self.lease.leased.verify_only
            || self.control.drain.is_cancelled()
            || self.limit_reached().is_some()
        {
            return None;
        }
        // What cannot be asked is told where it is asked; what would be turned away there is not noted before.
        match self.asking() {
            Ok(Asking::Model(question))
                if self.agent.gate.is_clear(&question.model) && !self.gone.contains(&question.model) =>
            {
                Some((Uuid::now_v7(), *question))
            }
            Ok(Asking::Model(_) | Asking::Nobody(_)) | Err(_) => None,
        }
    }

    /// Closes the intent of a call that was foreseen and is not made.
    pub(crate) async fn withdraw(&mut self) -> Result<(), Stopped> {
        match self.noted.take() {
            Some((call, ..)) => self.noted_but_not_sent(call).await,
            None => Ok(()),
        }
    }

    /// Closes an intent, if there is one.
    pub(crate) async fn noted_but_not_sent(&self, call: Uuid) -> Result<(), Stopped> {
        let error = "it was not sent".to_owned();
        let outcome = CallOutcome { error, request_id: None, usage: Some(Usage::default()) };
        self.persist(|| self.agent.store.fail_call(self.lease, call, &outcome)).await
    }

    /// Tells watchers that there is something to read.
    pub(crate) async fn nudge(&self) {
        let nudge = format!("{{\"task_id\":\"{}\"}}", self.lease.task());
        self.agent.queue.notify(TASK_UPDATES, &nudge).await;
    }

    /// Offers any other verb to a database that is away, until it is back.
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
