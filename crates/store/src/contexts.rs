//! What is remembered. Text is added and closed, never written over, but by a redaction. Who may recall what is decided
//! here, in each statement that reads for somebody.

mod change;
pub(crate) mod copies;
mod delete;
pub(crate) mod feed;
mod outcomes;
mod propose;
mod put;
pub(crate) mod recall;
mod redact;
mod refusals;
mod remember;
mod told;
pub(crate) mod uses;
pub(crate) mod vectors;
pub(crate) mod versions;

use chrono::{DateTime, Utc};
use hive_domain::{
    AgentId, ContextId, MemoryOwner, MemoryVersionId, ProjectId, SessionId, TaskId, TrustClass,
};
use uuid::Uuid;

pub use change::ContextChange;
pub use delete::Deleted;
pub use feed::{Change, ContextChanges, FeedEntry};
pub use outcomes::ContextOutcomes;
pub use put::NewContext;
pub use refusals::{FailedEmbedding, Unembedded};
pub use remember::{Remembered, reader_of};
pub(crate) use vectors::indexed;
pub use vectors::{DueContext, EmbeddingModel, Vectors};

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// Where an entry came from: the task, its run and its journal entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The task.
    pub task: TaskId,
    /// The epoch of the run.
    pub run: Option<i64>,
    /// The journal entry.
    pub step: Option<i32>,
}

/// An entry as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Its id.
    pub id: ContextId,
    /// The id of the first that said it; the same in all that replaced it.
    pub lineage: ContextId,
    /// Whose it is.
    pub owner: MemoryOwner,
    /// What it is a part of.
    pub parent: Option<ContextId>,
    /// What was said just before.
    pub follows: Option<ContextId>,
    /// What kind of thing it is.
    pub kind: String,
    /// Its title; may be empty.
    pub title: String,
    /// What it says.
    pub content: String,
    /// How far its source is believed.
    pub trust: TrustClass,
    /// Who stored it.
    pub author: String,
    /// Where it came from.
    pub origin: Option<Origin>,
    /// What it was drawn from.
    pub sources: Vec<ContextId>,
    /// Something it was drawn from was deleted.
    pub source_gone: bool,
    /// Since when it holds.
    pub valid_from: DateTime<Utc>,
    /// Until when it held.
    pub valid_to: Option<DateTime<Utc>>,
    /// When it was stored.
    pub recorded_at: DateTime<Utc>,
    /// What replaced it.
    pub superseded_by: Option<ContextId>,
    /// The night that brought it.
    pub born: Option<MemoryVersionId>,
    /// The night that retired it.
    pub died: Option<MemoryVersionId>,
    /// How much it weighs, 0 to 1.
    pub importance: f32,
    /// It does not fade.
    pub pinned: bool,
    /// Nobody replaces it, and no night retires it.
    pub locked: bool,
    /// When text in it was written over.
    pub redacted_at: Option<DateTime<Utc>>,
    /// How often it was recalled.
    pub recalled: i64,
    /// When last.
    pub recalled_at: Option<DateTime<Utc>>,
    /// One more with each change.
    pub version: i32,
}

pub(crate) struct Row {
    id: Uuid,
    lineage: Uuid,
    scope: String,
    project_id: Option<Uuid>,
    session_id: Option<Uuid>,
    agent_id: Option<Uuid>,
    parent_id: Option<Uuid>,
    follows_id: Option<Uuid>,
    kind: String,
    title: String,
    content: String,
    trust: String,
    author: String,
    task_id: Option<Uuid>,
    run_epoch: Option<i64>,
    step_seq: Option<i32>,
    sources: Vec<Uuid>,
    source_gone: bool,
    valid_from: DateTime<Utc>,
    valid_to: Option<DateTime<Utc>>,
    recorded_at: DateTime<Utc>,
    superseded_by: Option<Uuid>,
    born_version: Option<Uuid>,
    died_version: Option<Uuid>,
    importance: f32,
    pinned: bool,
    locked: bool,
    redacted_at: Option<DateTime<Utc>>,
    recalled: i64,
    recalled_at: Option<DateTime<Utc>>,
    version: i32,
    /// For which of several that ask it was read.
    nth: i64,
}

/// `select_contexts!(tail, arguments…)`: reads [`Row`]s of `contexts c`. Where several ask at once, `for "expression"` in
/// front says for which of them a row is.
macro_rules! select_contexts {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        select_contexts!(for "0::bigint", $tail $(, $argument)*)
    };
    (for $nth:literal, $tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::contexts::Row,
            r#"SELECT c.id, c.lineage, c.scope::text AS "scope!", c.project_id, c.session_id, c.agent_id, c.parent_id,
                      c.follows_id, c.kind, c.title, c.content, c.trust::text AS "trust!", c.author, c.task_id,
                      c.run_epoch, c.step_seq,
                      ARRAY(SELECT source_id FROM context_sources s WHERE s.context_id = c.id ORDER BY source_id)
                          AS "sources!",
                      c.source_gone, c.valid_from, c.valid_to, c.recorded_at, c.superseded_by, c.born_version,
                      c.died_version, c.importance, c.pinned, c.locked, c.redacted_at,
                      COALESCE(u.recalled, 0) AS "recalled!",
                      CASE WHEN u.recalled > 0 THEN u.recalled_at END AS "recalled_at?", c.version,
                      "# + $nth + r#" AS "nth!"
               FROM contexts c LEFT JOIN context_uses u ON u.context_id = c.id "# + $tail
            $(, $argument)*
        )
    };
}
pub(crate) use select_contexts;

/// The owner that three columns and the name of a scope say.
pub(crate) fn owner(
    scope: &str,
    project: Option<Uuid>,
    session: Option<Uuid>,
    agent: Option<Uuid>,
) -> Option<MemoryOwner> {
    let project = project.map(ProjectId::from);
    match (scope, project, session.map(SessionId::from), agent.map(AgentId::from)) {
        ("org", None, None, None) => Some(MemoryOwner::Org),
        ("project", Some(project), None, None) => Some(MemoryOwner::Project(project)),
        ("session", Some(project), Some(session), None) => Some(MemoryOwner::Session(project, session)),
        ("agent", Some(project), None, Some(agent)) => Some(MemoryOwner::Agent(project, agent)),
        _ => None,
    }
}

impl TryFrom<Row> for Context {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let id = row.id;
        let owner = owner(&row.scope, row.project_id, row.session_id, row.agent_id)
            .ok_or_else(|| Error::inconsistent("contexts", "scope", id, "it does not fit its owner"))?;
        Ok(Self {
            id: id.into(),
            lineage: row.lineage.into(),
            owner,
            parent: row.parent_id.map(Into::into),
            follows: row.follows_id.map(Into::into),
            kind: row.kind,
            title: row.title,
            content: row.content,
            trust: row.trust.parse().map_err(|e| Error::inconsistent("contexts", "trust", id, e))?,
            author: row.author,
            origin: row.task_id.map(|task| Origin {
                task: task.into(),
                run: row.run_epoch,
                step: row.step_seq,
            }),
            sources: row.sources.into_iter().map(Into::into).collect(),
            source_gone: row.source_gone,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
            recorded_at: row.recorded_at,
            superseded_by: row.superseded_by.map(Into::into),
            born: row.born_version.map(Into::into),
            died: row.died_version.map(Into::into),
            importance: row.importance,
            pinned: row.pinned,
            locked: row.locked,
            redacted_at: row.redacted_at,
            recalled: row.recalled,
            recalled_at: row.recalled_at,
            version: row.version,
        })
    }
}

impl Store {
    /// One entry, whoever's it is.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn context(&self, id: ContextId) -> Result<Context> {
        select_contexts!("WHERE c.id = $1", id.uuid())
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| missing(id))?
            .try_into()
    }

    /// All that was ever said in its place, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn context_history(&self, lineage: ContextId, limit: i64) -> Result<Vec<Context>> {
        select_contexts!("WHERE c.lineage = $1 ORDER BY c.recorded_at, c.id LIMIT $2", lineage.uuid(), limit)
            .fetch_all(&self.pool)
            .await?
            .into_iter()
            .map(Context::try_from)
            .collect()
    }
}

pub(crate) fn missing(id: ContextId) -> Error {
    Error::NotFound { what: "context", id: id.to_string() }
}
