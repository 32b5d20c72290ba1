//! What a run finds worth remembering: stored with its lease held, once for each call.

use hive_domain::{
    AgentId, ContextId, Lease, MemoryOwner, MemoryReader, ProjectId, SessionId, TrustClass, task::Task,
};
use uuid::Uuid;

use super::{Context, ContextChange, NewContext, select_contexts, uses};
use crate::{
    error::{Error, Result},
    pool::Store,
};

/// What became of something to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// It is an entry of its own now.
    New(ContextId),
    /// An entry that holds says the very same already; it is as fresh as a new one now.
    Known(ContextId),
}

impl Store {
    /// Stores what a run wants remembered, or replaces `replaces` by it. With the same id again nothing is stored, also
    /// when it was deleted since. Without vectors: whoever tends the memory makes them.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease is lost: nothing was stored. [`Error::Invalid`] and [`Error::Conflict`] for what
    /// cannot be stored or replaced: what the run may not see, what a person or the hive wrote, what is locked or was
    /// replaced.
    pub async fn remember(
        &self,
        lease: &Lease<Task>,
        new: &NewContext,
        replaces: Option<ContextId>,
    ) -> Result<Remembered> {
        let (task, epoch) = (lease.task(), lease.epoch());
        let mut once = self.alone().await?;
        let connection = once.connection()?;
        let held = sqlx::query!(
            "SELECT id FROM tasks WHERE id = $1 AND epoch = $2 AND status = 'running' FOR SHARE",
            task.uuid(),
            epoch,
        );
        held.fetch_optional(&mut *connection).await?.ok_or(Error::Fenced { task, epoch })?;
        if is_deleted(connection, new.id).await? {
            return Ok(Remembered::New(new.id));
        }
        let known = known(connection, new, replaces).await?;
        if let Some(known) = known {
            if known != new.id {
                uses::renew_now(once.connection()?, known.uuid()).await?;
            }
            once.commit().await?;
            return Ok(if known == new.id { Remembered::New(known) } else { Remembered::Known(known) });
        }
        match replaces {
            None => {
                once.put_context(new, None).await?;
            }
            Some(old) => {
                let old = replaceable(once.connection()?, &reader_of(&lease.leased), old).await?;
                // Else what is told to nobody would be shown to all who may see the entry.
                if old.owner != new.owner {
                    let message = format!(
                        "it is remembered in the scope {}, not {}",
                        old.owner.scope(),
                        new.owner.scope()
                    );
                    return Err(Error::Invalid { field: "/replaces", message });
                }
                let change = ContextChange {
                    title: Some(new.title.clone()),
                    content: Some(new.content.clone()),
                    ..ContextChange::default()
                };
                once.change_context(old.id, old.version, &change, new.id, &new.author, None).await?;
                written_by(once.connection()?, new).await?;
            }
        }
        once.commit().await?;
        Ok(Remembered::New(new.id))
    }

    /// Says that a journal holds entries that builds before `format` cannot read.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease is lost.
    pub async fn raise_journal_format<T: Sync>(&self, lease: &Lease<T>, format: i16) -> Result<()> {
        let (task, epoch) = (lease.task(), lease.epoch());
        let raised = sqlx::query!(
            "UPDATE tasks SET journal_format = greatest(journal_format, $3)
             WHERE id = $1 AND epoch = $2 AND status = 'running'",
            task.uuid(),
            epoch,
            format,
        );
        let raised = raised.execute(&self.pool).await?;
        if raised.rows_affected() == 0 { Err(Error::Fenced { task, epoch }) } else { Ok(()) }
    }
}

/// The words are those of another step than the ones that they replace, and are believed no more than these were.
async fn written_by(connection: &mut sqlx::PgConnection, new: &NewContext) -> Result<()> {
    let origin = new.origin;
    sqlx::query!(
        "UPDATE contexts SET kind = $2, task_id = $3, run_epoch = $4, step_seq = $5, trust = least(trust, $6::text::trust_class)
         WHERE id = $1",
        new.id.uuid(),
        new.kind,
        origin.map(|origin| origin.task.uuid()),
        origin.and_then(|origin| origin.run),
        origin.and_then(|origin| origin.step),
        new.trust.as_str(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether the entry of this call was stored before and is gone.
async fn is_deleted(connection: &mut sqlx::PgConnection, id: ContextId) -> Result<bool> {
    let deleted = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM context_tombstones WHERE context_id = $1) AS "deleted!""#,
        id.uuid()
    );
    Ok(deleted.fetch_one(connection).await?)
}

/// What a run may recall.
#[must_use]
pub fn reader_of(task: &Task) -> MemoryReader {
    MemoryReader {
        project: task.project,
        session: task.session,
        agent: task.agent.as_ref().map(|agent| agent.id),
    }
}

/// The entry of this call, if it was stored before; else one of the same owner that holds and says the very same.
async fn known(
    connection: &mut sqlx::PgConnection,
    new: &NewContext,
    replaces: Option<ContextId>,
) -> Result<Option<ContextId>> {
    let owner: MemoryOwner = new.owner;
    let known: Option<Uuid> = sqlx::query_scalar!(
        "SELECT id FROM contexts c
         WHERE id = $1
            OR ($7 AND scope = $2::text::memory_scope AND project_id IS NOT DISTINCT FROM $3
                AND session_id IS NOT DISTINCT FROM $4 AND agent_id IS NOT DISTINCT FROM $5
                AND title = $8 AND content = $6 AND valid_from <= now() AND (valid_to IS NULL OR valid_to > now())
                AND (born_version IS NULL OR EXISTS (
                        SELECT FROM memory_versions v WHERE v.id = c.born_version AND v.state = 'active'))
                AND (died_version IS NULL OR NOT EXISTS (
                        SELECT FROM memory_versions v WHERE v.id = c.died_version AND v.state = 'active')))
         ORDER BY id <> $1, id LIMIT 1",
        new.id.uuid(),
        owner.scope().as_str(),
        owner.project().map(ProjectId::uuid),
        owner.session().map(SessionId::uuid),
        owner.agent().map(AgentId::uuid),
        new.content,
        replaces.is_none(),
        new.title,
    )
    .fetch_optional(connection)
    .await?;
    Ok(known.map(Into::into))
}

/// The entry that is to be replaced: one that the run may see, and that an agent wrote.
async fn replaceable(
    connection: &mut sqlx::PgConnection,
    reader: &MemoryReader,
    id: ContextId,
) -> Result<Context> {
    let invalid = |message: &str| Error::Invalid { field: "/replaces", message: message.to_owned() };
    let row = select_contexts!("WHERE c.id = $1 FOR NO KEY UPDATE OF c", id.uuid())
        .fetch_optional(connection)
        .await?;
    let old = row.map(Context::try_from).transpose()?.filter(|old| reader.may_see(old.owner));
    let old = old.ok_or_else(|| invalid("there is no such entry here"))?;
    // Else an agent could put its own words in the place of a person's.
    if old.trust > TrustClass::Agent {
        return Err(invalid("a person or the hive wrote it; store what you found as an entry of its own"));
    }
    Ok(old)
}
