//! What nights have read, so that no other reads it again; and what they failed over, so that it stops none for ever.

use hive_domain::{AgentId, CycleId, ProjectId, SessionId, TaskId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::CycleLease;
use crate::{error::Result, pool::Store};

/// Nights that fail over the same before it is left out.
pub const GIVEN_UP_AFTER: i64 = 2;

impl Store {
    /// Ended tasks of the owner that no completed night of it has read, oldest first, at most `limit`; but none that two
    /// nights failed over. Only what an agent or a session lived through is read for it: a project has no journal of its
    /// own.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn unread_tasks(&self, lease: &CycleLease, limit: i64) -> Result<Vec<TaskId>> {
        let owner = lease.cycle.owner;
        let ids = sqlx::query_scalar!(
            "SELECT t.id FROM tasks t
             WHERE (t.assigned_agent_id = $1 OR t.session_id = $2) AND t.project_id = $3 AND t.completed_at IS NOT NULL
               AND t.next_seq > 1
               AND NOT EXISTS (
                   SELECT FROM sleep_readings r JOIN sleep_cycles c ON c.id = r.cycle_id
                   WHERE r.subject_id = t.id AND c.scope = $4::text::memory_scope
                     AND c.session_id IS NOT DISTINCT FROM $2 AND c.agent_id IS NOT DISTINCT FROM $1
                     AND (c.state = 'completed' OR c.id = $5)
                   UNION ALL
                   SELECT FROM sleep_readings r JOIN sleep_cycles c ON c.id = r.cycle_id
                   WHERE r.subject_id = t.id AND r.failed AND c.scope = $4::text::memory_scope
                     AND c.session_id IS NOT DISTINCT FROM $2 AND c.agent_id IS NOT DISTINCT FROM $1
                   HAVING count(*) >= $7)
             ORDER BY t.completed_at, t.id LIMIT $6",
            owner.agent().map(AgentId::uuid),
            owner.session().map(SessionId::uuid),
            owner.project().map(ProjectId::uuid),
            owner.scope().as_str(),
            lease.cycle.id.uuid(),
            limit,
            GIVEN_UP_AFTER,
        );
        Ok(ids.fetch_all(&self.pool).await?.into_iter().map(Into::into).collect())
    }

    /// Tasks and entries that nights of the owner failed over, each with how many did; the latest, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn failed_over(&self, lease: &CycleLease, limit: i64) -> Result<Vec<(Uuid, i64)>> {
        let owner = lease.cycle.owner;
        let rows = sqlx::query!(
            r#"SELECT r.subject_id, count(*) AS "nights!" FROM sleep_readings r JOIN sleep_cycles c ON c.id = r.cycle_id
               WHERE r.failed AND c.scope = $1::text::memory_scope AND c.project_id IS NOT DISTINCT FROM $2
                 AND c.session_id IS NOT DISTINCT FROM $3 AND c.agent_id IS NOT DISTINCT FROM $4
               GROUP BY r.subject_id ORDER BY max(c.id::text) DESC, r.subject_id LIMIT $5"#,
            owner.scope().as_str(),
            owner.project().map(ProjectId::uuid),
            owner.session().map(SessionId::uuid),
            owner.agent().map(AgentId::uuid),
            limit,
        );
        Ok(rows.fetch_all(&self.pool).await?.into_iter().map(|row| (row.subject_id, row.nights)).collect())
    }
}

/// Notes what a night has read, or what it failed over.
pub(super) async fn note(
    connection: &mut PgConnection,
    cycle: CycleId,
    subjects: &[Uuid],
    failed: bool,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO sleep_readings (cycle_id, subject_id, failed)
         SELECT DISTINCT $1::uuid, subject, $3::bool FROM unnest($2::uuid[]) AS s (subject)
         ON CONFLICT (cycle_id, subject_id) DO UPDATE SET failed = excluded.failed",
        cycle.uuid(),
        subjects,
        failed,
    )
    .execute(connection)
    .await?;
    Ok(())
}
