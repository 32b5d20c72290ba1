//! What a night works on: entries as they stand for it, and lessons of a project's agents.

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, ContextId, MemoryOwner, ProjectId, SessionId, TrustClass};
use uuid::Uuid;

use super::CycleLease;
use crate::{
    contexts,
    error::{Error, Result},
    pool::Store,
};

/// An entry as a night sees it: published, or of this night.
#[derive(Clone, Debug)]
pub struct NightItem {
    /// Its id.
    pub id: ContextId,
    /// The id of the first that said it.
    pub lineage: ContextId,
    /// Whose it is.
    pub owner: MemoryOwner,
    /// Who lived through it, if an agent did.
    pub lived_by: Option<AgentId>,
    /// What it is a part of.
    pub parent: Option<ContextId>,
    /// What kind of thing it is.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// What it says.
    pub content: String,
    /// How far it is believed.
    pub trust: TrustClass,
    /// Since when it holds.
    pub valid_from: DateTime<Utc>,
    /// When it was stored, or learnt again.
    pub recorded_at: DateTime<Utc>,
    /// How much it weighs.
    pub importance: f32,
    /// It is pinned or locked: nothing is done to it.
    pub guarded: bool,
    /// How often it was recalled, and when last.
    pub recalled: (i64, Option<DateTime<Utc>>),
    /// At which version it was read.
    pub version: i32,
    /// It was stored since the last night that came to its end and skipped nothing, and no such night has asked about it
    /// besides; nor did two fail over it.
    pub is_new: bool,
    /// Its vectors of the active model.
    pub vectors: Vec<Vec<f32>>,
}

struct Row {
    id: Uuid,
    lineage: Uuid,
    scope: String,
    project_id: Option<Uuid>,
    session_id: Option<Uuid>,
    agent_id: Option<Uuid>,
    lived_by: Option<Uuid>,
    parent_id: Option<Uuid>,
    kind: String,
    title: String,
    content: String,
    trust: String,
    valid_from: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    importance: f32,
    guarded: bool,
    recalled: i64,
    recalled_at: Option<DateTime<Utc>>,
    version: i32,
    is_new: bool,
    vectors: Vec<Vec<u8>>,
}

/// `select_items!(tail, arguments…)`: reads [`Row`]s that stand for a night. $1 is its version, $2 to $5 an owner.
macro_rules! select_items {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"WITH last AS (
                   SELECT max(started_at) AS at FROM sleep_cycles
                   WHERE scope = $2::text::memory_scope AND project_id IS NOT DISTINCT FROM $3
                     AND session_id IS NOT DISTINCT FROM $4 AND agent_id IS NOT DISTINCT FROM $5
                     AND state = 'completed' AND skipped = '[]'
               )
               SELECT c.id, c.lineage, c.scope::text AS "scope!", c.project_id, c.session_id, c.agent_id,
                      coalesce(t.assigned_agent_id, c.agent_id) AS "lived_by?", c.parent_id, c.kind, c.title, c.content,
                      c.trust::text AS "trust!", c.valid_from,
                      greatest(c.recorded_at, u.renewed_at,
                               (SELECT max(w.renewed_at) FROM context_renewals w JOIN memory_versions v ON v.id = w.version_id
                                WHERE w.context_id = c.id AND (v.state = 'active' OR v.id = $1))) AS "recorded_at!",
                      c.importance,
                      c.pinned OR c.locked AS "guarded!", coalesce(u.recalled, 0) AS "recalled!",
                      u.recalled_at AS "recalled_at?", c.version,
                      n.is_new AS "is_new!",
                      ARRAY(SELECT vector_send(v.vector) FROM context_vectors v JOIN embedding_models m ON m.model = v.model
                            WHERE v.context_id = c.id AND m.state = 'active' ORDER BY v.chunk) AS "vectors!"
               FROM last, contexts c LEFT JOIN context_uses u ON u.context_id = c.id LEFT JOIN tasks t ON t.id = c.task_id
               CROSS JOIN LATERAL (
                   SELECT coalesce(c.recorded_at > last.at, true) AND NOT EXISTS (
                              SELECT FROM sleep_readings r JOIN sleep_cycles k ON k.id = r.cycle_id
                              WHERE r.subject_id = c.id AND k.state = 'completed')
                          AND (SELECT count(*) FROM sleep_readings r WHERE r.subject_id = c.id AND r.failed) < 2 AS is_new
               ) AS n
               WHERE c.valid_to IS NULL AND c.superseded_by IS NULL
                 AND (c.born_version IS NULL OR c.born_version = $1 OR EXISTS (
                         SELECT FROM memory_versions v WHERE v.id = c.born_version AND v.state = 'active'))
                 AND (c.died_version IS NULL OR c.died_version <> $1 AND NOT EXISTS (
                         SELECT FROM memory_versions v WHERE v.id = c.died_version AND v.state = 'active')) "# + $tail
            $(, $argument)*
        )
    };
}

impl Store {
    /// Entries of the owner as they stand for this night, by id, at most `limit`. Turns of conversations that were read
    /// before, and what is at work only, are none of them: nothing is drawn from them, and they would take the places of
    /// those of which something is.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn night_items(&self, lease: &CycleLease, limit: i64) -> Result<Vec<NightItem>> {
        let owner = lease.cycle.owner;
        select_items!(
            "AND c.scope = $2::text::memory_scope AND c.project_id IS NOT DISTINCT FROM $3
             AND c.session_id IS NOT DISTINCT FROM $4 AND c.agent_id IS NOT DISTINCT FROM $5
             AND c.kind <> 'working' AND (c.kind <> 'episode' OR n.is_new)
             ORDER BY c.id LIMIT $6",
            lease.cycle.version.uuid(),
            owner.scope().as_str(),
            owner.project().map(ProjectId::uuid),
            owner.session().map(SessionId::uuid),
            owner.agent().map(AgentId::uuid),
            limit,
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(NightItem::try_from)
        .collect()
    }

    /// Lessons of all agents of the owner's project, each agent's own, and what the project itself knows as such, by id, at
    /// most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn night_lessons(&self, lease: &CycleLease, limit: i64) -> Result<Vec<NightItem>> {
        let owner = lease.cycle.owner;
        select_items!(
            "AND c.project_id = $3 AND c.scope IN ('agent', 'project') AND c.kind = 'lesson' ORDER BY c.id LIMIT $6",
            lease.cycle.version.uuid(),
            owner.scope().as_str(),
            owner.project().map(ProjectId::uuid),
            owner.session().map(SessionId::uuid),
            owner.agent().map(AgentId::uuid),
            limit,
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(NightItem::try_from)
        .collect()
    }
}

impl TryFrom<Row> for NightItem {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let id = row.id;
        let owner = contexts::owner(&row.scope, row.project_id, row.session_id, row.agent_id)
            .ok_or_else(|| Error::inconsistent("contexts", "scope", id, "it does not fit its owner"))?;
        let vectors: Option<Vec<Vec<f32>>> =
            row.vectors.iter().map(|sent| contexts::feed::numbers(sent)).collect();
        Ok(Self {
            id: id.into(),
            lineage: row.lineage.into(),
            owner,
            lived_by: row.lived_by.map(Into::into),
            parent: row.parent_id.map(Into::into),
            kind: row.kind,
            title: row.title,
            content: row.content,
            trust: row.trust.parse().map_err(|e| Error::inconsistent("contexts", "trust", id, e))?,
            valid_from: row.valid_from,
            recorded_at: row.recorded_at,
            importance: row.importance,
            guarded: row.guarded,
            recalled: (row.recalled, row.recalled_at),
            version: row.version,
            is_new: row.is_new,
            vectors: vectors
                .ok_or_else(|| Error::inconsistent("context_vectors", "vector", id, "an unknown form"))?,
        })
    }
}
