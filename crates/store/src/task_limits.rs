//! Limits of keys and agents: how many tasks run at a time, and how many start in a time.

use chrono::{DateTime, Utc};

use crate::{
    error::Result,
    pool::Store,
    rates::{LINE, parked_by},
};

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
    /// Sets the limits of a key or an agent; what is `None` is taken away. Tasks that are parked by the rate that it had
    /// keep their order and go on when the new one lets them.
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
        let mut tx = self.pool.begin().await?;
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
        .execute(&mut *tx)
        .await?;
        hasten(&mut tx, kind, name, rate).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes all limits of a key or an agent away; false when there were none. Tasks that are parked by its rate go on.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn drop_task_limit(&self, kind: LimitKind, name: &str) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let dropped =
            sqlx::query!("DELETE FROM task_limits WHERE kind = $1 AND name = $2", kind.as_str(), name);
        let dropped = dropped.execute(&mut *tx).await?.rows_affected() == 1;
        hasten(&mut tx, kind, name, None).await?;
        tx.commit().await?;
        Ok(dropped)
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

/// Gives the first [`LINE`] tasks that wait for a start of this limit the times that another rate lets them start at, and
/// none a later one. The claim holds them to the starts that were made; what another holds the lock of is on its way.
async fn hasten(
    tx: &mut sqlx::PgTransaction<'_>,
    kind: LimitKind,
    name: &str,
    rate: Option<Rate>,
) -> Result<()> {
    let starts = rate.map_or(LINE, |rate| rate.max_starts.into());
    let seconds = rate.map_or(0, |rate| rate.per_seconds);
    sqlx::query!(
        "WITH parked AS MATERIALIZED (
             SELECT id, run_at FROM tasks
             WHERE status = 'waiting' AND status_reason = 'rate_limited' AND run_at > now()
               AND starts_with(status_detail, $1)
             ORDER BY run_at, id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
         ), line AS (
             SELECT id, now() + make_interval(secs => (row_number() OVER (ORDER BY run_at, id) - 1) / $3::bigint * $4::float8) AS start
             FROM parked
         )
         UPDATE tasks t SET run_at = l.start, updated_at = now() FROM line l WHERE t.id = l.id AND t.run_at > l.start",
        parked_by(kind.as_str(), name),
        LINE,
        starts,
        f64::from(seconds),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
