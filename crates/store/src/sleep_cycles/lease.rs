//! Which worker is at a night: a lease by the database's clock, and an epoch that every write compares.

use std::time::Duration;

use hive_domain::{CycleId, CyclePhase};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{SleepCycle, end, read};
use crate::{
    error::{Error, Result},
    pool::Store,
};

/// Seconds after which another worker may take over; the holder renews well before.
const LEASE_SECONDS: f64 = 8.0;
/// Workers that a night may lose in a row, without a phase between, before it counts as what kills them.
const DEATHS: i32 = 3;

/// The right to go on with a night.
#[derive(Debug)]
pub struct CycleLease {
    /// As it was when it was taken.
    pub cycle: SleepCycle,
    /// Seconds that are left of its time.
    pub seconds_left: f64,
    pub(super) worker: String,
    pub(super) epoch: i64,
}

impl Store {
    /// Takes the night that is due and waits longest, if there is one. One whose worker died is taken over when its lease
    /// has ended. While the fleet is paused none goes on, and while it drains none begins.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn take_cycle(&self, worker: &str) -> Result<Option<CycleLease>> {
        let mut tx = self.pool.begin().await?;
        let taken = sqlx::query!(
            r#"WITH next AS (
                   SELECT id, worker IS NOT NULL AS orphaned FROM sleep_cycles
                   WHERE state IN ('pending', 'running') AND look_at <= now()
                     AND (lease_until IS NULL OR lease_until < now())
                     AND NOT EXISTS (SELECT FROM pauses p WHERE p.scope = 'fleet' AND (p.until IS NULL OR p.until > now())
                                                            AND (p.mode = 'pause' OR sleep_cycles.state = 'pending'))
                   ORDER BY look_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
               )
               UPDATE sleep_cycles c
               SET state = 'running', worker = $1, epoch = epoch + 1, lease_until = now() + make_interval(secs => $2),
                   started_at = coalesce(started_at, now()), deaths = deaths + next.orphaned::int, updated_at = now()
               FROM next WHERE c.id = next.id
               RETURNING c.id, c.epoch, c.deaths,
                         extract(epoch FROM c.started_at + make_interval(mins => c.budget_minutes) - now())::float8
                             AS "seconds_left!""#,
            worker,
            LEASE_SECONDS,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(taken) = taken else { return Ok(None) };
        let cycle = read::one(&mut tx, taken.id.into()).await?;
        let lease = CycleLease {
            cycle,
            seconds_left: taken.seconds_left,
            worker: worker.to_owned(),
            epoch: taken.epoch,
        };
        if taken.deaths >= DEATHS {
            end::undo(&mut tx, &lease.cycle, "failed", Some("its workers died over it again and again"))
                .await?;
            tx.commit().await?;
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(lease))
    }

    /// Keeps the lease. False: it is lost, and nothing may be written under it.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn renew_cycle(&self, cycle: CycleId, lease: (&str, i64)) -> Result<bool> {
        let renewed = sqlx::query!(
            "UPDATE sleep_cycles SET lease_until = now() + make_interval(secs => $4)
             WHERE id = $1 AND worker = $2 AND epoch = $3 AND state = 'running'",
            cycle.uuid(),
            lease.0,
            lease.1,
            LEASE_SECONDS,
        );
        Ok(renewed.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Gives a night back that goes on after this time.
    ///
    /// # Errors
    /// When Postgres refuses; then its lease ends by itself.
    pub async fn leave_cycle(&self, lease: CycleLease, after: Duration) -> Result<()> {
        self.hand_back_cycle(lease.cycle.id, lease.holder(), after).await
    }

    /// See [`Store::leave_cycle`], for a turn that was cut and has lost its lease as a value.
    ///
    /// # Errors
    /// When Postgres refuses; then its lease ends by itself.
    pub async fn hand_back_cycle(
        &self,
        cycle: CycleId,
        (worker, epoch): (&str, i64),
        after: Duration,
    ) -> Result<()> {
        sqlx::query!(
            "UPDATE sleep_cycles
             SET worker = NULL, lease_until = NULL, look_at = now() + make_interval(secs => $4), updated_at = now()
             WHERE id = $1 AND worker = $2 AND epoch = $3 AND state = 'running'",
            cycle.uuid(),
            worker,
            epoch,
            after.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

impl CycleLease {
    /// Who holds it, for [`Store::renew_cycle`].
    #[must_use]
    pub fn holder(&self) -> (&str, i64) {
        (&self.worker, self.epoch)
    }

    /// Locks the night against others; the phase that it is at. Every write of a worker begins with it.
    pub(super) async fn hold(&self, connection: &mut PgConnection) -> Result<CyclePhase> {
        let id: Uuid = self.cycle.id.uuid();
        let phase = sqlx::query_scalar!(
            r#"SELECT phase::text AS "phase!" FROM sleep_cycles
               WHERE id = $1 AND worker = $2 AND epoch = $3 AND state = 'running' FOR NO KEY UPDATE"#,
            id,
            self.worker,
            self.epoch,
        )
        .fetch_optional(connection)
        .await?;
        let Some(phase) = phase else {
            let message = format!("the lease of sleep cycle {id} (epoch {}) is no longer held", self.epoch);
            return Err(Error::Conflict { code: "sleep_cycle_fenced", message });
        };
        phase.parse().map_err(|e| Error::inconsistent("sleep_cycles", "phase", id, e))
    }
}
