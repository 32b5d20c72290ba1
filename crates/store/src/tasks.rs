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
use filter::with_filter;
use hive_domain::{TaskId, task::Task};
pub(crate) use row::{TaskRow, select_tasks};
use sqlx::PgConnection;

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
        let rows = with_filter!(
            select_tasks,
            ("", "tasks", "WHERE"),
            "AND ($14::uuid IS NULL OR t.id < $14) ORDER BY t.id DESC LIMIT $15",
            filter,
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
