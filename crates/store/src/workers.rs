//! The worker processes, as they report themselves.

use crate::{claim::Claimant, error::Result, lease::LEASE_SECONDS, pool::Store};

/// What a worker says about itself.
#[derive(Clone, Debug)]
pub struct WorkerReport {
    /// Its name and kind.
    pub claimant: Claimant,
    /// Where it runs.
    pub host: String,
    /// Its build.
    pub version: String,
    /// Tasks that it runs at a time.
    pub slots: i32,
    /// It takes no more tasks.
    pub draining: bool,
}

/// How many workers live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveWorkers {
    /// Ordinary ones that take tasks.
    pub ordinary: i64,
    /// Their slots together.
    pub slots: i64,
    /// Isolated ones.
    pub isolated: i64,
}

impl Store {
    /// Notes that a worker lives. Meant to come with each renewal.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn report_worker(&self, report: &WorkerReport) -> Result<()> {
        sqlx::query!(
            "INSERT INTO workers (name, host, version, slots, isolated, draining) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (name) DO UPDATE SET seen_at = now(), draining = excluded.draining, lost_at = NULL",
            &*report.claimant.name,
            report.host,
            report.version,
            report.slots,
            report.claimant.isolated,
            report.draining,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Forgets a worker that ends in the orderly way.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn forget_worker(&self, name: &str) -> Result<()> {
        sqlx::query!("DELETE FROM workers WHERE name = $1", name).execute(&self.pool).await?;
        Ok(())
    }

    /// Notes which workers were silent for longer than a lease. Returns how many that are.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn mark_lost_workers(&self) -> Result<u64> {
        let lost = sqlx::query!(
            "WITH silent AS (
                 SELECT name FROM workers
                 WHERE lost_at IS NULL AND seen_at <= now() - make_interval(secs => $1)
                 ORDER BY name FOR NO KEY UPDATE SKIP LOCKED
             )
             UPDATE workers w SET lost_at = now() FROM silent WHERE w.name = silent.name",
            LEASE_SECONDS,
        );
        Ok(lost.execute(&self.pool).await?.rows_affected())
    }

    /// The workers that reported within a lease.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn live_workers(&self) -> Result<LiveWorkers> {
        let live = sqlx::query_as!(
            LiveWorkers,
            r#"SELECT count(*) FILTER (WHERE NOT isolated) AS "ordinary!",
                      coalesce(sum(slots) FILTER (WHERE NOT isolated), 0) AS "slots!",
                      count(*) FILTER (WHERE isolated) AS "isolated!"
               FROM workers WHERE seen_at > now() - make_interval(secs => $1) AND NOT draining"#,
            LEASE_SECONDS,
        );
        Ok(live.fetch_one(&self.pool).await?)
    }
}
