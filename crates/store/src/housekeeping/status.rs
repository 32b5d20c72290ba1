//! How each duty fares.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{error::Result, pool::Store};

/// The last run of a duty, on each host.
#[derive(Clone, Debug)]
pub struct LastRun {
    /// Of this duty.
    pub duty: String,
    /// On this host; empty for the database.
    pub host: String,
    /// The order that it did.
    pub order: Uuid,
    /// Whether it only looked.
    pub dry_run: bool,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// When it was taken.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// What it removed.
    pub removed_rows: i64,
    /// And how large that was.
    pub removed_bytes: i64,
    /// What else it found.
    pub report: serde_json::Value,
    /// Why it failed.
    pub error: Option<String>,
}

/// When a duty last succeeded on a host; dry runs do not count.
#[derive(Clone, Debug)]
pub struct Success {
    /// Of this duty.
    pub duty: String,
    /// On this host.
    pub host: String,
    /// Then.
    pub at: DateTime<Utc>,
}

impl Store {
    /// The last run of every duty on every host, and when each last succeeded.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn housekeeping(&self) -> Result<(Vec<LastRun>, Vec<Success>)> {
        let runs = sqlx::query_as!(
            LastRun,
            r#"SELECT DISTINCT ON (o.duty, r.host) o.duty, r.host, o.id AS "order", o.dry_run,
                      r.state::text AS "state!", r.started_at, r.finished_at, r.removed_rows, r.removed_bytes, r.report,
                      r.error
               FROM housekeeping_runs r JOIN housekeeping_orders o ON o.id = r.order_id
               ORDER BY o.duty, r.host, o.id DESC"#,
        )
        .fetch_all(&self.pool)
        .await?;
        let successes =
            sqlx::query_as!(Success, "SELECT duty, host, at FROM housekeeping_successes ORDER BY duty, host")
                .fetch_all(&self.pool)
                .await?;
        Ok((runs, successes))
    }
}
