//! A journal entry as it is shown.

use chrono::{DateTime, Utc};
use hive_domain::TaskId;
use hive_store::{Step, StepRoute};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{names, routing::StepRouteView};

/// One entry of a task's journal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Step)]
pub struct StepView {
    /// Its number in the task, from 1 without gaps.
    seq: i32,
    /// What it is.
    #[schema(schema_with = names::step_kind)]
    kind: &'static str,
    /// The run that wrote it, `<task id>.<epoch>`; with the epoch 0 for a step that a fork shares with its original.
    run: String,
    /// When it was committed.
    at: DateTime<Utc>,
    /// The workspace after it, when it changed: a commit.
    commit: Option<String>,
    /// The sandbox level its commands ran under.
    sandbox: Option<String>,
    /// The model that answered it, and why it was asked; of replies that the task's own runs asked for.
    route: Option<StepRouteView>,
    /// The entry itself; its shape goes with `kind`.
    #[schema(value_type = Object)]
    content: Box<RawValue>,
}

impl StepView {
    /// A step of `task`, with the model that answered it.
    ///
    /// # Errors
    /// When the entry cannot be written as JSON, which a stored one can.
    pub fn new(task: TaskId, step: Step, route: Option<StepRoute>) -> serde_json::Result<Self> {
        Ok(Self {
            seq: step.seq,
            kind: step.entry.kind(),
            run: format!("{task}.{}", step.epoch),
            at: step.at,
            content: RawValue::from_string(step.entry.body()?)?,
            commit: step.commit,
            sandbox: step.sandbox,
            route: route.map(Into::into),
        })
    }
}
