//! Tasks whose attempts are used up, and what was made of them since.

use std::collections::HashMap;

use hive_domain::{TaskId, TaskStatus, task::Task};
use uuid::Uuid;

use super::TaskFilter;
use crate::{error::Result, pool::Store};

/// A task that died.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// As it died: what it was asked for, its last error and its attempts.
    pub task: Task,
    /// The newest task that tries it again.
    pub redriven_to: Option<TaskId>,
}

/// A part of the list of them, newest first.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    /// The tasks.
    pub items: Vec<DeadLetter>,
    /// Where the next part begins; `None` at the end.
    pub next: Option<TaskId>,
}

impl Store {
    /// Dead tasks before `cursor`, newest first, at most `limit`. The filter's states do not count.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn dead_letters(
        &self,
        filter: &TaskFilter,
        cursor: Option<TaskId>,
        limit: i64,
    ) -> Result<DeadLetters> {
        let filter = TaskFilter { statuses: vec![TaskStatus::Dead], ..filter.clone() };
        let page = self.tasks(&filter, cursor, limit).await?;
        let ids: Vec<Uuid> = page.items.iter().map(|task| task.id.uuid()).collect();
        let rows = sqlx::query!(
            r#"SELECT DISTINCT ON (redriven_from) redriven_from AS "origin!", id FROM tasks
               WHERE redriven_from = ANY ($1) ORDER BY redriven_from, id DESC"#,
            &ids,
        )
        .fetch_all(&self.pool)
        .await?;
        let newest: HashMap<Uuid, Uuid> = rows.into_iter().map(|row| (row.origin, row.id)).collect();
        let letter = |task: Task| {
            let redriven_to = newest.get(&task.id.uuid()).copied().map(Into::into);
            DeadLetter { task, redriven_to }
        };
        Ok(DeadLetters { items: page.items.into_iter().map(letter).collect(), next: page.next })
    }
}
