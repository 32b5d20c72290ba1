//! A new entry, with its vectors when they are there already.

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, ContextId, MemoryOwner, ProjectId, SessionId, TrustClass};
use uuid::Uuid;

use super::{Context, Origin, Vectors, missing, select_contexts, vectors};
use crate::{
    error::{Error, Result},
    once::Once,
    pool::Store,
};

/// An entry to be stored.
#[derive(Clone, Debug)]
pub struct NewContext {
    /// Chosen by the caller.
    pub id: ContextId,
    /// Whose it is.
    pub owner: MemoryOwner,
    /// What it is a part of; of the same owner.
    pub parent: Option<ContextId>,
    /// What was said just before; of the same owner.
    pub follows: Option<ContextId>,
    /// What kind of thing it is, 1 to 100 characters.
    pub kind: String,
    /// At most 255 characters.
    pub title: String,
    /// 1 to 32,768 bytes.
    pub content: String,
    /// How far its source is believed; lowered to the least of what it was drawn from.
    pub trust: TrustClass,
    /// Who stores it.
    pub author: String,
    /// Where it came from.
    pub origin: Option<Origin>,
    /// What it was drawn from: entries of the project, or everybody's.
    pub sources: Vec<ContextId>,
    /// Since when it holds; since now unless named.
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when it held, if it no longer does.
    pub valid_to: Option<DateTime<Utc>>,
    /// How much it weighs, 0 to 1.
    pub importance: f32,
    /// It does not fade.
    pub pinned: bool,
}

impl Store {
    /// Stores an entry. Without vectors it is noted that it wants some.
    ///
    /// # Errors
    /// [`Error::Invalid`] names a reference that does not exist or belongs to another owner.
    pub async fn put_context(&self, new: &NewContext, vectors: Option<&Vectors>) -> Result<Context> {
        let mut once = self.alone().await?;
        let context = once.put_context(new, vectors).await?;
        once.commit().await?;
        Ok(context)
    }
}

impl Once {
    /// See [`Store::put_context`].
    ///
    /// # Errors
    /// As there.
    pub async fn put_context(&mut self, new: &NewContext, vectors: Option<&Vectors>) -> Result<Context> {
        let owner = new.owner;
        let (project, session, agent) = (
            owner.project().map(ProjectId::uuid),
            owner.session().map(SessionId::uuid),
            owner.agent().map(AgentId::uuid),
        );
        let sources: Vec<Uuid> = new.sources.iter().map(|id| id.uuid()).collect();
        let connection = self.connection()?;
        let found = sqlx::query!(
            r#"WITH own AS (
                   SELECT id FROM contexts
                   WHERE id IN ($4, $5) AND scope = $6::text::memory_scope AND project_id IS NOT DISTINCT FROM $1
                     AND session_id IS NOT DISTINCT FROM $2 AND agent_id IS NOT DISTINCT FROM $3
               ), source AS (
                   SELECT trust FROM contexts
                   WHERE id = ANY($7) AND (scope = 'org' OR project_id = $1 OR $1::uuid IS NULL)
               )
               SELECT $1::uuid IS NULL OR EXISTS (SELECT FROM projects WHERE id = $1) AS "project!",
                      $2::uuid IS NULL OR EXISTS (SELECT FROM sessions WHERE id = $2 AND project_id = $1) AS "session!",
                      $3::uuid IS NULL OR EXISTS (SELECT FROM agents WHERE id = $3 AND project_id = $1) AS "agent!",
                      $4::uuid IS NULL OR EXISTS (SELECT FROM own WHERE id = $4) AS "parent!",
                      $5::uuid IS NULL OR EXISTS (SELECT FROM own WHERE id = $5) AS "follows!",
                      $8::uuid IS NULL OR EXISTS (
                          SELECT FROM tasks WHERE id = $8 AND (project_id = $1 OR $1::uuid IS NULL)) AS "task!",
                      $9::integer IS NULL OR EXISTS (SELECT FROM steps WHERE task_id = $8 AND seq = $9) AS "step!",
                      (SELECT count(*) FROM source) AS "sources!",
                      (SELECT min(trust)::text FROM source) AS trust"#,
            project,
            session,
            agent,
            new.parent.map(ContextId::uuid),
            new.follows.map(ContextId::uuid),
            owner.scope().as_str(),
            &sources,
            new.origin.map(|origin| origin.task.uuid()),
            new.origin.and_then(|origin| origin.step),
        )
        .fetch_one(&mut *connection)
        .await?;
        let all_sources = i64::try_from(sources.len()).is_ok_and(|count| count == found.sources);
        for (fine, field, what) in [
            (found.project, "/project_id", "no such project"),
            (found.session, "/session_id", "the project has no such session"),
            (found.agent, "/agent_id", "the project has no such agent"),
            (found.parent, "/parent_id", "this owner has no such context"),
            (found.follows, "/follows_id", "this owner has no such context"),
            (found.task, "/provenance/task_id", "the project has no such task"),
            (found.step, "/provenance/step", "the task has no such step"),
            (all_sources, "/sources", "one of them does not exist here or is named twice"),
        ] {
            if !fine {
                return Err(Error::Invalid { field, message: what.to_owned() });
            }
        }
        let least: Option<TrustClass> = found
            .trust
            .map(|trust| trust.parse())
            .transpose()
            .map_err(|e| Error::inconsistent("contexts", "trust", new.id, e))?;
        let trust = least.map_or(new.trust, |least| least.min(new.trust));
        sqlx::query!(
            "WITH new AS (
                 INSERT INTO contexts (id, lineage, scope, project_id, session_id, agent_id, parent_id, follows_id, kind,
                                       title, content, trust, author, task_id, run_epoch, step_seq, valid_from, valid_to,
                                       importance, pinned)
                 VALUES ($1, $1, $2::text::memory_scope, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::trust_class, $12,
                         $13, $14, $15, COALESCE($16, now()), $17, $18, $19)
                 RETURNING id
             )
             INSERT INTO context_sources (context_id, source_id) SELECT id, unnest($20::uuid[]) FROM new",
            new.id.uuid(),
            owner.scope().as_str(),
            project,
            session,
            agent,
            new.parent.map(ContextId::uuid),
            new.follows.map(ContextId::uuid),
            new.kind,
            new.title,
            new.content,
            trust.as_str(),
            new.author,
            new.origin.map(|origin| origin.task.uuid()),
            new.origin.and_then(|origin| origin.run),
            new.origin.and_then(|origin| origin.step),
            new.valid_from,
            new.valid_to,
            new.importance,
            new.pinned,
            &sources,
        )
        .execute(&mut *connection)
        .await?;
        vectors::attach(connection, new.id, vectors).await?;
        read(connection, new.id).await
    }
}

/// The entry as this transaction left it.
pub(super) async fn read(connection: &mut sqlx::PgConnection, id: ContextId) -> Result<Context> {
    select_contexts!("WHERE c.id = $1", id.uuid())
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| missing(id))?
        .try_into()
}
