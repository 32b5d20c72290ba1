//! What a night leaves out: what somebody changed since the night read it, with all that was made of it.

use sqlx::PgConnection;

use super::{CycleLease, SleepCycle, end::must_be_the_last_phase};
use crate::{error::Result, pool::Store};

impl Store {
    /// Takes out of a night what somebody changed since it read it, with all that was made of it, before its gate looks: what
    /// will not be published is not asked about. [`Store::publish_cycle`] does the same once more.
    ///
    /// # Errors
    /// As of [`Store::publish_cycle`].
    pub async fn leave_out_changed(&self, lease: &CycleLease) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        must_be_the_last_phase(lease.hold(&mut tx).await?)?;
        leave_out(&mut tx, &lease.cycle).await?;
        Ok(tx.commit().await?)
    }
}

/// Takes changes out whose entries are not as the night read them, and all that was made of these.
pub(super) async fn leave_out(connection: &mut PgConnection, cycle: &SleepCycle) -> Result<()> {
    let version = cycle.version.uuid();
    // All that the night touched or drew on, so that nobody changes it before the switch.
    sqlx::query!(
        "SELECT FROM contexts WHERE id IN (
             SELECT id FROM contexts WHERE died_version = $1
             UNION SELECT id FROM contexts WHERE born_version = $1
             UNION SELECT unnest(sources) FROM sleep_changes
                   WHERE cycle_id = $2 AND kind NOT IN ('refused', 'dropped', 'kept'))
         ORDER BY id FOR NO KEY UPDATE",
        version,
        cycle.id.uuid(),
    )
    .fetch_all(&mut *connection)
    .await?;
    let stale = sqlx::query_scalar!(
        r#"WITH RECURSIVE stale AS (
               SELECT s.id, s.born FROM sleep_changes s
               WHERE s.cycle_id = $1 AND (
                   EXISTS (
                       SELECT FROM unnest(s.retired, s.versions) AS r (id, version)
                       LEFT JOIN contexts c ON c.id = r.id
                       WHERE c.id IS NULL OR c.version <> r.version OR c.died_version IS DISTINCT FROM $2
                          OR c.locked OR c.pinned)
                   OR s.kind NOT IN ('refused', 'dropped', 'kept') AND EXISTS (
                       SELECT FROM unnest(s.sources, s.source_versions) AS r (id, version)
                       LEFT JOIN contexts c ON c.id = r.id
                       WHERE r.version IS NOT NULL AND c.version IS DISTINCT FROM r.version)
                   -- Another night that was taken back meanwhile takes with it what was drawn from what it brought.
                   OR EXISTS (
                       SELECT FROM contexts c JOIN memory_versions v ON v.id = c.born_version
                       WHERE c.id = ANY(s.sources) AND v.id <> $2 AND v.state <> 'active')
                   OR s.born IS NOT NULL AND s.kind NOT IN ('refused', 'dropped')
                      AND (SELECT c.id FROM contexts c WHERE c.id = s.born) IS NULL)
               UNION
               SELECT s.id, s.born FROM sleep_changes s, stale
               WHERE s.cycle_id = $1 AND stale.born IS NOT NULL
                 AND (stale.born = ANY(s.retired) OR stale.born = ANY(s.sources)))
           SELECT id AS "id!" FROM stale ORDER BY id"#,
        cycle.id.uuid(),
        version,
    )
    .fetch_all(&mut *connection)
    .await?;
    if stale.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "WITH dropped AS (
             UPDATE sleep_changes SET kind = 'dropped', reason = reason || '; but somebody changed what it was made of'
             WHERE id = ANY($1) RETURNING born, retired
         ), revived AS (
             UPDATE contexts c SET died_version = NULL, changed_tx = pg_current_xact_id()
             FROM dropped d WHERE c.id = ANY(d.retired) AND c.died_version = $2
         )
         INSERT INTO context_tombstones (context_id, project_id, cause_id, deleted_by)
         SELECT c.id, c.project_id, c.id, 'night' FROM contexts c JOIN dropped d ON d.born = c.id
         ON CONFLICT DO NOTHING",
        &stale,
        version,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM contexts WHERE born_version = $2 AND id IN (SELECT born FROM sleep_changes WHERE id = ANY($1))",
        &stale,
        version,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM context_renewals r
         WHERE r.version_id = $1
           AND NOT EXISTS (SELECT FROM sleep_changes s
                           WHERE s.cycle_id = $2 AND s.kind = 'merged' AND s.born IS NULL AND r.context_id = ANY(s.sources))",
        version,
        cycle.id.uuid(),
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}
