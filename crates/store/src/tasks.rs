//! Tasks: accept, show, list, and what a person may do to them.

mod accepted;
mod actions;
pub mod bulk;
mod cancel;
pub mod changed;
pub mod dead;
mod depend;
pub(crate) mod enqueue;
pub(crate) mod enqueue_many;
mod faults;
pub mod filter;
mod redrive;
mod reprioritise;
mod row;
mod status_name;

pub use filter::TaskFilter;
use hive_domain::{AgentId, ProjectId, SessionId, StatusReason, TaskId, task::Task};
pub(crate) use row::{TaskRow, select_tasks};
use sqlx::PgConnection;
use status_name::StatusName;

use crate::{
    error::{Error, Result},
    pool::Store,
};

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
        show(&mut *self.pool.acquire().await?, id).await
    }

    /// Tasks before `cursor`, newest first, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn tasks(&self, filter: &TaskFilter, cursor: Option<TaskId>, limit: i64) -> Result<TaskPage> {
        let rows = select_tasks!(
            "",
            "tasks",
            "WHERE ($1::uuid IS NULL OR t.project_id = $1)
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
               AND ($13::boolean IS NULL
                    OR $13 = EXISTS (SELECT 1 FROM tasks r WHERE r.redriven_from = t.id))
               AND ($14::uuid IS NULL OR t.id < $14)
             ORDER BY t.id DESC
             LIMIT $15",
            filter.project.map(ProjectId::uuid),
            filter.status_names() as Vec<StatusName>,
            filter.reason.map(StatusReason::as_str),
            filter.agent.map(AgentId::uuid),
            filter.labels_json(),
            filter.created_since,
            filter.created_before,
            filter.session.map(SessionId::uuid),
            filter.parent.map(TaskId::uuid),
            filter.error_class,
            filter.ended_since,
            filter.ended_before,
            filter.redriven,
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

/// One task, as a transaction sees it.
pub(crate) async fn show(connection: &mut PgConnection, id: TaskId) -> Result<Task> {
    select_tasks!("", "tasks", "WHERE t.id = $1", id.uuid())
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| Error::NotFound { what: "task", id: id.to_string() })?
        .try_into()
}
