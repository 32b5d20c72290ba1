//! Tasks: accept, show, list, and what a person may do to them.

mod actions;
pub(crate) mod enqueue;
mod row;
mod status_name;

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, ProjectId, StatusReason, TaskId, TaskStatus, task::Task};
pub(crate) use row::{TaskRow, select_tasks};
use status_name::StatusName;

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// Which tasks a list shows. Everything that is `None` or empty does not filter.
#[derive(Clone, Debug, Default)]
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
    pub labels: std::collections::BTreeMap<String, String>,
    /// Created at or after this time.
    pub created_since: Option<DateTime<Utc>>,
}

/// A part of a list, newest first.
#[derive(Clone, Debug)]
pub struct TaskPage {
    /// The tasks.
    pub items: Vec<Task>,
    /// Where the next part begins; `None` at the end.
    pub next: Option<TaskId>,
}

impl Store {
    /// One task.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn task(&self, id: TaskId) -> Result<Task> {
        select_tasks!("", "tasks", "WHERE t.id = $1", id.uuid())
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| Error::NotFound { what: "task", id: id.to_string() })?
            .try_into()
    }

    /// Tasks before `cursor`, newest first, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn tasks(&self, filter: &TaskFilter, cursor: Option<TaskId>, limit: i64) -> Result<TaskPage> {
        let statuses: Vec<StatusName> = filter.statuses.iter().copied().map(StatusName).collect();
        let labels = serde_json::to_value(&filter.labels)
            .map_err(|e| Error::inconsistent("tasks", "labels", "the filter", e))?;
        let rows = select_tasks!(
            "",
            "tasks",
            "WHERE ($1::uuid IS NULL OR t.project_id = $1)
               AND (cardinality($2::task_status[]) = 0 OR t.status = ANY ($2))
               AND ($3::text IS NULL OR t.status_reason = $3::text::status_reason)
               AND ($4::uuid IS NULL OR t.assigned_agent_id = $4)
               AND ($5::jsonb = '{}' OR (t.labels <> '{}' AND t.labels @> $5))
               AND ($6::timestamptz IS NULL OR t.created_at >= $6)
               AND ($7::uuid IS NULL OR t.id < $7)
             ORDER BY t.id DESC
             LIMIT $8",
            filter.project.map(ProjectId::uuid),
            statuses as Vec<StatusName>,
            filter.reason.map(StatusReason::as_str),
            filter.agent.map(AgentId::uuid),
            labels,
            filter.created_since,
            cursor.map(TaskId::uuid),
            limit + 1,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut items = rows.into_iter().map(Task::try_from).collect::<Result<Vec<_>>>()?;
        let more = items.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if more {
            items.pop();
        }
        let next = if more { items.last().map(|task| task.id) } else { None };
        Ok(TaskPage { items, next })
    }
}
