//! The ends of a night: published by the one switch, or undone as if it had never been.

use hive_domain::{CycleId, CyclePhase};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{CycleLease, SleepCycle, left_out, read, readings};
use crate::{
    contexts::{copies, uses},
    error::{Error, Result},
    pool::Store,
    text::storable,
};

/// What the gate found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GateFinding {
    /// For each probe, by its number, whether it was answered before and is after, or was overtaken by then.
    pub probes: Vec<(bool, bool)>,
    /// Entries of the owner that the night left alone.
    pub kept: i32,
}

impl GateFinding {
    /// The share that was answered before, and the one after; none without probes.
    #[must_use]
    pub fn quality(&self) -> Option<(f32, f32)> {
        if self.probes.is_empty() {
            return None;
        }
        let share = |answered: usize| answered as f32 / self.probes.len() as f32;
        Some((
            share(self.probes.iter().filter(|(before, _)| *before).count()),
            share(self.probes.iter().filter(|(_, after)| *after).count()),
        ))
    }

    /// Whether something that was answered before is not after. What is answered besides makes up for nothing.
    #[must_use]
    pub fn drops(&self) -> bool {
        self.probes.iter().any(|(before, after)| *before && !after)
    }
}

impl Store {
    /// Publishes what a night made, unless the gate found that something is answered no more; then it is rejected. What
    /// somebody changed since the night read it is left out, with all that was made of it.
    ///
    /// # Errors
    /// [`Error::Conflict`] `sleep_cycle_fenced`, or `sleep_cycle_phase` before the last phase.
    pub async fn publish_cycle(&self, lease: CycleLease, gate: &GateFinding) -> Result<SleepCycle> {
        let mut tx = self.pool.begin().await?;
        must_be_the_last_phase(lease.hold(&mut tx).await?)?;
        let cycle = lease.cycle.id;
        let (numbers, (before, after)): (Vec<i32>, (Vec<bool>, Vec<bool>)) =
            (0..).zip(gate.probes.iter().copied()).unzip();
        sqlx::query!(
            "UPDATE sleep_probes p SET before = g.before, after = g.after
             FROM unnest($2::int[], $3::bool[], $4::bool[]) AS g (number, before, after)
             WHERE p.cycle_id = $1 AND p.number = g.number",
            cycle.uuid(),
            &numbers,
            &before,
            &after,
        )
        .execute(&mut *tx)
        .await?;
        let quality = gate.quality();
        sqlx::query!(
            "UPDATE sleep_cycles SET probes = $2, quality_before = $3, quality_after = $4, kept = $5 WHERE id = $1",
            cycle.uuid(),
            i32::try_from(gate.probes.len()).unwrap_or(i32::MAX),
            quality.map(|quality| quality.0),
            quality.map(|quality| quality.1),
            gate.kept,
        )
        .execute(&mut *tx)
        .await?;
        if gate.drops() {
            undo(&mut tx, &lease.cycle, "rejected_by_gate", None).await?;
        } else {
            left_out::leave_out(&mut tx, &lease.cycle).await?;
            switch(&mut tx, lease.cycle.version.uuid(), "building", "active").await?;
            uses::show_renewed(&mut tx, lease.cycle.version.uuid()).await?;
            close(&mut tx, cycle, "completed", None).await?;
        }
        let ended = read::one(&mut tx, cycle).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Ends a night as failed, `over` these tasks and entries if it is known. Nothing of it is left but the report.
    ///
    /// # Errors
    /// [`Error::Conflict`] `sleep_cycle_fenced`.
    pub async fn fail_cycle(&self, lease: CycleLease, failure: &str, over: &[Uuid]) -> Result<SleepCycle> {
        let mut tx = self.pool.begin().await?;
        lease.hold(&mut tx).await?;
        readings::note(&mut tx, lease.cycle.id, over, true).await?;
        undo(&mut tx, &lease.cycle, "failed", Some(failure)).await?;
        let ended = read::one(&mut tx, lease.cycle.id).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Stops a night that is under way, whoever has it. Nothing of it is left but the report.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `sleep_cycle_over` when it has ended.
    pub async fn cancel_cycle(&self, id: CycleId, by: &str) -> Result<SleepCycle> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!("SELECT FROM sleep_cycles WHERE id = $1 FOR NO KEY UPDATE", id.uuid())
            .fetch_optional(&mut *tx)
            .await?;
        let cycle = read::one(&mut tx, id).await?;
        if !cycle.state.is_open() {
            let message = format!("the sleep cycle is {} already", cycle.state);
            return Err(Error::Conflict { code: "sleep_cycle_over", message });
        }
        undo(&mut tx, &cycle, "cancelled", Some(&format!("stopped by {by}"))).await?;
        let ended = read::one(&mut tx, id).await?;
        tx.commit().await?;
        Ok(ended)
    }
}

pub(super) fn must_be_the_last_phase(phase: CyclePhase) -> Result<()> {
    if phase == CyclePhase::Publish {
        return Ok(());
    }
    let message = "there are phases before the last one".to_owned();
    Err(Error::Conflict { code: "sleep_cycle_phase", message })
}

/// Undoes a night: its version is never seen. What it brought is kept for a look when the gate rejected it, else it goes.
pub(super) async fn undo(
    connection: &mut PgConnection,
    cycle: &SleepCycle,
    state: &str,
    failure: Option<&str>,
) -> Result<()> {
    let version = cycle.version.uuid();
    release(connection, version).await?;
    if state != "rejected_by_gate" {
        sqlx::query!(
            "INSERT INTO context_tombstones (context_id, project_id, cause_id, deleted_by)
             SELECT id, project_id, id, 'night' FROM contexts WHERE born_version = $1 ON CONFLICT DO NOTHING",
            version
        )
        .execute(&mut *connection)
        .await?;
        sqlx::query!("DELETE FROM contexts WHERE born_version = $1", version)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query!(
        "UPDATE batch_requests b
         SET state = 'canceled', error = 'the sleep cycle is over', completed_at = now(), updated_at = now()
         FROM (SELECT q.id FROM batch_requests q JOIN sleep_requests r ON r.request_id = q.id
               WHERE r.cycle_id = $1 AND q.state = 'queued' ORDER BY q.id FOR NO KEY UPDATE OF q) AS own
         WHERE b.id = own.id",
        cycle.id.uuid(),
    )
    .execute(&mut *connection)
    .await?;
    switch(connection, version, "building", "rejected").await?;
    close(connection, cycle.id, state, failure).await
}

/// Takes the marks of a version off the entries that it retired or renewed.
pub(super) async fn release(connection: &mut PgConnection, version: Uuid) -> Result<()> {
    sqlx::query!(
        "UPDATE contexts c SET died_version = nullif(c.died_version, $1), changed_tx = pg_current_xact_id()
         FROM (SELECT id FROM contexts
               WHERE id = ANY(ARRAY(SELECT id FROM contexts WHERE died_version = $1
                                    UNION SELECT context_id FROM context_renewals WHERE version_id = $1))
               ORDER BY id FOR NO KEY UPDATE) AS own
         WHERE c.id = own.id",
        version
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM context_renewals WHERE version_id = $1", version).execute(connection).await?;
    Ok(())
}

/// The one switch.
pub(super) async fn switch(connection: &mut PgConnection, version: Uuid, from: &str, to: &str) -> Result<()> {
    let moved = sqlx::query!(
        "UPDATE memory_versions
         SET state = $3::text::memory_version_state, state_at = now(), changed_tx = pg_current_xact_id()
         WHERE id = $1 AND state = $2::text::memory_version_state",
        version,
        from,
        to,
    );
    if moved.execute(connection).await?.rows_affected() == 1 {
        return Ok(());
    }
    Err(Error::Conflict { code: "memory_version_state", message: format!("the version is not {from}") })
}

async fn close(connection: &mut PgConnection, id: CycleId, state: &str, failure: Option<&str>) -> Result<()> {
    let failure = failure.map(storable);
    copies::blot_out_of(&mut *connection, id.uuid()).await?;
    sqlx::query!(
        "WITH calls AS (
             SELECT count(DISTINCT r.request_id) AS requests,
                    coalesce(sum(b.input_tokens + b.cache_read_tokens + b.cache_write_tokens), 0)::bigint AS input,
                    coalesce(sum(b.output_tokens), 0)::bigint AS output,
                    coalesce(sum(b.cost_nano_usd), 0)::bigint AS cost
             FROM sleep_requests r LEFT JOIN batch_calls b ON b.request_id = r.request_id WHERE r.cycle_id = $1
         ), counts AS (
             SELECT count(*) FILTER (WHERE kind = 'extracted') AS extracted,
                    coalesce(sum(cardinality(retired)) FILTER (WHERE kind = 'merged'), 0) AS merged,
                    coalesce(sum(cardinality(retired)) FILTER (WHERE kind = 'superseded'), 0) AS superseded,
                    count(*) FILTER (WHERE kind = 'promoted') AS promoted,
                    coalesce(sum(cardinality(retired)) FILTER (WHERE kind = 'decayed'), 0) AS decayed,
                    count(*) FILTER (WHERE kind = 'refused') AS refused
             FROM sleep_changes WHERE cycle_id = $1
         )
         UPDATE sleep_cycles c
         SET state = $2::text::sleep_cycle_state, failure = $3, worker = NULL, lease_until = NULL,
             finished_at = clock_timestamp(), updated_at = now(), requests = calls.requests, input_tokens = calls.input,
             output_tokens = calls.output, cost_nano_usd = calls.cost, extracted = counts.extracted::int,
             merged = counts.merged::int, superseded = counts.superseded::int, promoted = counts.promoted::int,
             decayed = counts.decayed::int, refused = counts.refused::int
         FROM calls, counts WHERE c.id = $1",
        id.uuid(),
        state,
        failure.as_deref(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
