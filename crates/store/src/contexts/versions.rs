//! What a night made, published and taken back by one switch.

use hive_domain::{AgentId, MemoryOwner, MemoryVersionId, ProjectId, SessionId, VersionState};
use sqlx::PgConnection;

use crate::{
    error::{Error, Result},
    pool::Store,
};

impl Store {
    /// Begins a version of a memory. Nobody sees what it brings or retires until it is active.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn begin_memory_version(&self, id: MemoryVersionId, owner: MemoryOwner) -> Result<()> {
        begin(&mut *self.pool.acquire().await?, id, owner).await
    }

    /// Moves a version from one state to another: from building to active or rejected, from active to rolled back.
    ///
    /// # Errors
    /// [`Error::Conflict`] `memory_version_state` when it is in another state, does not exist, or the move is none of
    /// these.
    pub async fn move_memory_version(
        &self,
        id: MemoryVersionId,
        from: VersionState,
        to: VersionState,
    ) -> Result<()> {
        let permitted = matches!(
            (from, to),
            (VersionState::Building, VersionState::Active | VersionState::Rejected)
                | (VersionState::Active, VersionState::RolledBack)
        );
        let moved = sqlx::query!(
            "UPDATE memory_versions
             SET state = $3::text::memory_version_state, state_at = now(), changed_tx = pg_current_xact_id()
             WHERE id = $1 AND state = $2::text::memory_version_state AND $4",
            id.uuid(),
            from.as_str(),
            to.as_str(),
            permitted,
        )
        .execute(&self.pool)
        .await?;
        if moved.rows_affected() == 1 {
            return Ok(());
        }
        let message = format!("the version is not {from}, or does not go from there to {to}");
        Err(Error::Conflict { code: "memory_version_state", message })
    }
}

/// See [`Store::begin_memory_version`].
pub(crate) async fn begin(
    connection: &mut PgConnection,
    id: MemoryVersionId,
    owner: MemoryOwner,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO memory_versions (id, scope, project_id, session_id, agent_id, number)
             SELECT $1, $2::text::memory_scope, $3, $4, $5, COALESCE(max(number), 0) + 1 FROM memory_versions
             WHERE scope = $2::text::memory_scope AND project_id IS NOT DISTINCT FROM $3
               AND session_id IS NOT DISTINCT FROM $4 AND agent_id IS NOT DISTINCT FROM $5",
        id.uuid(),
        owner.scope().as_str(),
        owner.project().map(ProjectId::uuid),
        owner.session().map(SessionId::uuid),
        owner.agent().map(AgentId::uuid),
    )
    .execute(connection)
    .await?;
    Ok(())
}
