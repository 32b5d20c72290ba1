//! A task as it stands right after it was accepted: what was asked for, and what the database added.

use chrono::{DateTime, Utc};
use hive_domain::{
    Usage,
    task::{NewTask, Performer, Task, TaskAgent},
};
use uuid::Uuid;

use crate::error::{Error, Result};

/// What the database decided at the insert.
pub(super) struct Accepted {
    pub status: String,
    pub reason: Option<String>,
    pub run_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub agent: Option<TaskAgent>,
}

/// The columns of an agent that may be none.
pub(super) fn agent_of(
    id: Option<Uuid>,
    name: Option<String>,
    kind: Option<String>,
    version: Option<i32>,
) -> Option<TaskAgent> {
    Some(TaskAgent { id: id?.into(), name: name?, kind: kind?, version: version?, active: true })
}

pub(super) fn accepted(new: &NewTask, row: Accepted) -> Result<Task> {
    let bad = |column| move |e| Error::inconsistent("tasks", column, new.id, e);
    let mut dependencies = new.dependencies.clone();
    dependencies.sort_unstable();
    dependencies.dedup();
    Ok(Task {
        id: new.id,
        project: new.project,
        title: new.title.clone(),
        description: new.description.clone(),
        duty: duty(new).map(str::to_owned),
        agent: row.agent,
        repository: new.repository.clone(),
        acceptance: new.acceptance.clone(),
        context: new.context.clone(),
        labels: new.labels.clone(),
        limits: new.limits.clone(),
        model: new.model.clone(),
        dependencies,
        on_dependency_failure: new.on_dependency_failure,
        priority: new.priority,
        status: row.status.parse().map_err(bad("status"))?,
        reason: row.reason.map(|reason| reason.parse()).transpose().map_err(bad("status_reason"))?,
        detail: None,
        run_at: row.run_at,
        max_attempts: new.max_attempts,
        attempt: 0,
        epoch: 0,
        verify_only: false,
        event_seq: 1,
        result: None,
        usage: Usage::default(),
        running_seconds: 0,
        session: new.session,
        parent: new.parent,
        deadline: new.deadline,
        concurrency_key: new.concurrency_key.clone(),
        redriven_from: None,
        forked_from: None,
        deaths: 0,
        isolated: false,
        journal_format: None,
        routing_version: None,
        error_class: None,
        // Only a run asks.
        briefing_waits: false,
        awaits: None,
        created_by: new.created_by.clone(),
        created_at: row.created_at,
        started_at: None,
        completed_at: None,
    })
}

/// The stored name of a duty that needs no agent.
pub(super) const fn duty(new: &NewTask) -> Option<&'static str> {
    match new.performer {
        Performer::Noop => Some("noop"),
        Performer::Agent(_) | Performer::Type(_) => None,
    }
}
