//! The events of a task, for watchers.

use chrono::{DateTime, Utc};
use hive_domain::TaskId;

use crate::{error::Result, pool::Store};

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number in the task, without gaps.
    pub seq: i64,
    /// `task.created`, `task.step`, …
    pub kind: String,
    /// What is known about it.
    pub data: serde_json::Value,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

impl Store {
    /// Events of `task` after number `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn events_after(&self, task: TaskId, after: i64, limit: i64) -> Result<Vec<Event>> {
        let rows = sqlx::query_as!(
            Event,
            r#"SELECT seq, kind, data, created_at AS "at" FROM events
               WHERE task_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"#,
            task.uuid(),
            after,
            limit,
        );
        Ok(rows.fetch_all(&self.pool).await?)
    }
}
