//! Which tasks are meant.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, ProjectId, SessionId, StatusReason, TaskId, TaskStatus};
use serde_json::Value;

use super::status_name::StatusName;

/// Which tasks a list shows and an action is for. Everything that is `None` or empty does not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// In this project.
    pub project: Option<ProjectId>,
    /// In one of these states.
    pub statuses: Vec<TaskStatus>,
    /// For this reason.
    pub reason: Option<StatusReason>,
    /// Assigned to this agent.
    pub agent: Option<AgentId>,
    /// With all these labels.
    pub labels: BTreeMap<String, String>,
    /// Created at or after this time.
    pub created_since: Option<DateTime<Utc>>,
    /// Created before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// In this session.
    pub session: Option<SessionId>,
    /// A part of this task.
    pub parent: Option<TaskId>,
    /// Whose last failed try was of this class.
    pub error_class: Option<String>,
    /// Ended at or after this time.
    pub ended_since: Option<DateTime<Utc>>,
    /// Ended before this time.
    pub ended_before: Option<DateTime<Utc>>,
    /// Whether another task was made from it, to try it again.
    pub redriven: Option<bool>,
}

impl TaskFilter {
    /// True when every task fits.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn status_names(&self) -> Vec<StatusName> {
        self.statuses.iter().copied().map(StatusName).collect()
    }

    pub(super) fn labels_json(&self) -> Value {
        Value::Object(
            self.labels.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect(),
        )
    }
}
