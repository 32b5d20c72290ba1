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

/// `with_filter!(statement, (before), after, filter, arguments…)`: a statement of the macro `statement` that asks which
/// tasks `t` fit the filter, between what stands before and after. The filter's arguments are `$1` to `$13`; the others
/// follow.
macro_rules! with_filter {
    ($statement:ident, ($($before:tt)*), $after:literal, $filter:expr $(, $argument:expr)* $(,)?) => {
        $statement!(
            $($before)*
            "   ($1::uuid IS NULL OR t.project_id = $1)
            AND (cardinality($2::task_status[]) = 0 OR t.status = ANY ($2))
            AND ($3::text IS NULL OR t.status_reason = $3::text::status_reason)
            AND ($4::uuid IS NULL OR t.assigned_agent_id = $4)
            AND ($5::jsonb = '{}' OR (t.labels <> '{}' AND t.labels @> $5))
            AND ($6::timestamptz IS NULL OR t.created_at >= $6)
            AND ($7::timestamptz IS NULL OR t.created_at < $7)
            AND ($8::uuid IS NULL OR t.session_id = $8)
            AND ($9::uuid IS NULL OR t.parent_id = $9)
            AND ($10::text IS NULL OR t.error_class = $10)
            AND ($11::timestamptz IS NULL OR t.completed_at >= $11)
            AND ($12::timestamptz IS NULL OR t.completed_at < $12)
            AND ($13::boolean IS NULL OR $13 = EXISTS (SELECT 1 FROM tasks r WHERE r.redriven_from = t.id))
            "
            $after,
            $filter.project.map(hive_domain::ProjectId::uuid),
            $filter.status_names() as Vec<$crate::tasks::status_name::StatusName>,
            $filter.reason.map(hive_domain::StatusReason::as_str),
            $filter.agent.map(hive_domain::AgentId::uuid),
            $filter.labels_json(),
            $filter.created_since,
            $filter.created_before,
            $filter.session.map(hive_domain::SessionId::uuid),
            $filter.parent.map(hive_domain::TaskId::uuid),
            $filter.error_class,
            $filter.ended_since,
            $filter.ended_before,
            $filter.redriven
            $(, $argument)*
        )
    };
}
pub(super) use with_filter;
