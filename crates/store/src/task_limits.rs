//! Limits of keys and agents: how many tasks run at a time, and how many start in a time.

use chrono::{DateTime, Utc};

use crate::{error::Result, pool::Store};

/// What a limit holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// Tasks with one concurrency key, in all projects.
    Key,
    /// Tasks of one agent.
    Agent,
}

impl LimitKind {
    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Agent => "agent",
        }
    }
}

/// A number of starts in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Starts, 1 to 1,000.
    pub max_starts: i32,
    /// Seconds of the window, 1 to 86,400. It slides: no window of this length holds more starts.
    pub per_seconds: i32,
}

/// What was set for a key or an agent.
#[derive(Clone, Debug)]
pub struct TaskLimit {
    /// `key` or `agent`.
    pub kind: String,
    /// The key, or the agent's id.
    pub name: String,
    /// Tasks of the key that may run at a time; 1 unless set.
    pub max_running: Option<i32>,
    /// Starts in a time.
    pub rate: Option<Rate>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Store {
    /// Sets the limits of a key or an agent; what is `None` is taken away.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn set_task_limit(
        &self,
        kind: LimitKind,
        name: &str,
        max_running: Option<i32>,
        rate: Option<Rate>,
    ) -> Result<()> {
        sqlx::query!(
            "INSERT INTO task_limits (kind, name, max_running, max_starts, per_seconds) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (kind, name) DO UPDATE
                 SET max_running = excluded.max_running, max_starts = excluded.max_starts,
                     per_seconds = excluded.per_seconds, updated_at = now()",
            kind.as_str(),
            name,
            max_running,
            rate.map(|rate| rate.max_starts),
            rate.map(|rate| rate.per_seconds),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes all limits of a key or an agent away; false when there were none.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn drop_task_limit(&self, kind: LimitKind, name: &str) -> Result<bool> {
        let dropped =
            sqlx::query!("DELETE FROM task_limits WHERE kind = $1 AND name = $2", kind.as_str(), name);
        Ok(dropped.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Limits after `(kind, name)`, in that order, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn task_limits(&self, after: Option<(&str, &str)>, limit: i64) -> Result<Vec<TaskLimit>> {
        let (kind, name) = after.unwrap_or(("", ""));
        let rows = sqlx::query!(
            "SELECT kind, name, max_running, max_starts, per_seconds, updated_at FROM task_limits
             WHERE (kind, name) > ($1, $2) ORDER BY kind, name LIMIT $3",
            kind,
            name,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let limit = rows.into_iter().map(|row| TaskLimit {
            kind: row.kind,
            name: row.name,
            max_running: row.max_running,
            rate: row
                .max_starts
                .zip(row.per_seconds)
                .map(|(max_starts, per_seconds)| Rate { max_starts, per_seconds }),
            updated_at: row.updated_at,
        });
        Ok(limit.collect())
    }
}
