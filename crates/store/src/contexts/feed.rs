//! What a search index outside of Postgres follows: what there is, and what changed since it last looked.
//!
//! A mark is the oldest transaction that was open at a look. Whatever commits later has at least that number, so a look
//! from the mark on misses nothing, however commits and numbers cross; it may see a row again, which changes nothing.

use chrono::{DateTime, Utc};
use hive_domain::{ContextId, MemoryOwner, MemoryVersionId, ProjectId, TrustClass};
use uuid::Uuid;

use super::owner;
use crate::{
    error::{Error, Result},
    pool::Store,
};

/// What changed since a mark.
#[derive(Clone, Debug)]
pub struct ContextChanges {
    /// From here on the next time.
    pub mark: i64,
    /// The database's clock at this look.
    pub now: DateTime<Utc>,
    /// What changed, in no order.
    pub changes: Vec<Change>,
}

/// One thing that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// An entry or its vectors, by the transaction.
    Entry(ContextId, i64),
    /// An entry is gone.
    Gone(ContextId),
    /// Whether a night's result is visible.
    Version(MemoryVersionId, bool),
}

/// An entry for an index.
#[derive(Clone, Debug)]
pub struct FeedEntry {
    /// Its id.
    pub id: ContextId,
    /// Whose it is.
    pub owner: MemoryOwner,
    /// What it is a part of.
    pub parent: Option<ContextId>,
    /// What was said just before.
    pub follows: Option<ContextId>,
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
    /// Until when it held.
    pub valid_to: Option<DateTime<Utc>>,
    /// When it was stored, or learnt again.
    pub recorded_at: DateTime<Utc>,
    /// The night that brought it.
    pub born: Option<MemoryVersionId>,
    /// The night that retired it.
    pub died: Option<MemoryVersionId>,
    /// How much it weighs.
    pub importance: f32,
    /// It does not fade.
    pub pinned: bool,
    /// How often it was recalled, and when last.
    pub recalled: Option<(i64, DateTime<Utc>)>,
    /// Its vectors of the model that was asked for, in the order of the chunks.
    pub vectors: Vec<Vec<f32>>,
}

struct Row {
    id: Uuid,
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
    valid_from: DateTime<Utc>,
    valid_to: Option<DateTime<Utc>>,
    recorded_at: DateTime<Utc>,
    born_version: Option<Uuid>,
    died_version: Option<Uuid>,
    importance: f32,
    pinned: bool,
    recalled: Option<i64>,
    recalled_at: Option<DateTime<Utc>>,
    vectors: Vec<Vec<u8>>,
}

/// `select_feed!(tail, arguments…)`: reads [`Row`]s; the first argument is the model.
macro_rules! select_feed {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT c.id, c.scope::text AS "scope!", c.project_id, c.session_id, c.agent_id, c.parent_id, c.follows_id,
                      c.kind, c.title, c.content, c.trust::text AS "trust!", c.valid_from, c.valid_to,
                      greatest(c.recorded_at, u.renewed_at,
                               (SELECT max(w.renewed_at) FROM context_renewals w JOIN memory_versions n ON n.id = w.version_id
                                WHERE w.context_id = c.id AND n.state = 'active')) AS "recorded_at!",
                      c.born_version, c.died_version, c.importance, c.pinned, u.recalled AS "recalled?",
                      u.recalled_at AS "recalled_at?",
                      ARRAY(SELECT vector_send(v.vector) FROM context_vectors v
                            WHERE v.context_id = c.id AND v.model = $1 ORDER BY v.chunk) AS "vectors!"
               FROM contexts c LEFT JOIN context_uses u ON u.context_id = c.id "# + $tail
            $(, $argument)*
        )
    };
}

impl Store {
    /// What changed of a project's memory and of everybody's since `mark`; with 0 only the mark, since all there is has
    /// changed since then.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn context_changes(&self, project: ProjectId, mark: i64) -> Result<ContextChanges> {
        let rows = sqlx::query!(
            r#"WITH look AS MATERIALIZED (
                   SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS mark, now() AS now
               )
               SELECT look.mark AS "mark!", look.now AS "now!", c.what AS "what?", c.id AS "id?", c.tx AS "tx?", c.visible
               FROM look LEFT JOIN LATERAL (
                   SELECT 'entry' AS what, id, changed_tx::text::bigint AS tx, true AS visible FROM contexts
                   WHERE changed_tx >= $2::text::xid8 AND (project_id = $1 OR scope = 'org')
                   UNION ALL
                   SELECT 'entry', v.context_id, v.changed_tx::text::bigint, true
                   FROM context_vectors v JOIN contexts c ON c.id = v.context_id
                   WHERE v.changed_tx >= $2::text::xid8 AND (c.project_id = $1 OR c.scope = 'org')
                   UNION ALL
                   SELECT 'gone', context_id, 0, false FROM context_tombstones
                   WHERE changed_tx >= $2::text::xid8 AND (project_id = $1 OR project_id IS NULL)
                   UNION ALL
                   SELECT 'version', id, 0, state = 'active' FROM memory_versions
                   WHERE changed_tx >= $2::text::xid8 AND (project_id = $1 OR project_id IS NULL)
               ) c ON $3"#,
            project.uuid(),
            mark.to_string(),
            mark > 0,
        )
        .fetch_all(&self.pool)
        .await?;
        let Some(first) = rows.first() else {
            return Err(Error::inconsistent("contexts", "changed_tx", project, "there is no mark"));
        };
        let (mark, now) = (first.mark, first.now);
        let changes = rows.into_iter().filter_map(|row| {
            let id = row.id?;
            Some(match row.what.as_deref()? {
                "gone" => Change::Gone(id.into()),
                "version" => Change::Version(id.into(), row.visible.unwrap_or(false)),
                _ => Change::Entry(id.into(), row.tx.unwrap_or(0)),
            })
        });
        Ok(ContextChanges { mark, now, changes: changes.collect() })
    }

    /// Entries of a project and of everybody after `after`, by id, at most `limit`, with their vectors of `model`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn context_feed(
        &self,
        project: ProjectId,
        model: &str,
        after: Option<ContextId>,
        limit: i64,
    ) -> Result<Vec<FeedEntry>> {
        let rows = select_feed!(
            "WHERE (c.project_id = $2 OR c.scope = 'org') AND c.id > $3 ORDER BY c.id LIMIT $4",
            model,
            project.uuid(),
            after.map_or(Uuid::nil(), ContextId::uuid),
            limit,
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(FeedEntry::try_from).collect()
    }

    /// The entries with these ids, for an index.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn context_feed_of(&self, model: &str, ids: &[ContextId]) -> Result<Vec<FeedEntry>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let rows = select_feed!("WHERE c.id = ANY($2)", model, &ids);
        rows.fetch_all(&self.pool).await?.into_iter().map(FeedEntry::try_from).collect()
    }

    /// All versions of a project's memory and of everybody's that are visible.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn active_memory_versions(&self, project: ProjectId) -> Result<Vec<MemoryVersionId>> {
        let ids = sqlx::query_scalar!(
            "SELECT id FROM memory_versions WHERE state = 'active' AND (project_id = $1 OR project_id IS NULL)",
            project.uuid()
        );
        Ok(ids.fetch_all(&self.pool).await?.into_iter().map(Into::into).collect())
    }

    /// How many entries an index of the project would hold, counted up to `most`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn count_contexts(&self, project: ProjectId, most: i64) -> Result<i64> {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM (
                   SELECT FROM contexts WHERE project_id = $1 OR scope = 'org' LIMIT $2) counted"#,
            project.uuid(),
            most
        );
        Ok(count.fetch_one(&self.pool).await?)
    }
}

impl TryFrom<Row> for FeedEntry {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let id = row.id;
        let owner = owner(&row.scope, row.project_id, row.session_id, row.agent_id)
            .ok_or_else(|| Error::inconsistent("contexts", "scope", id, "it does not fit its owner"))?;
        let vectors: Option<Vec<Vec<f32>>> = row.vectors.iter().map(|sent| numbers(sent)).collect();
        Ok(Self {
            id: id.into(),
            owner,
            parent: row.parent_id.map(Into::into),
            follows: row.follows_id.map(Into::into),
            kind: row.kind,
            title: row.title,
            content: row.content,
            trust: row.trust.parse().map_err(|e| Error::inconsistent("contexts", "trust", id, e))?,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
            recorded_at: row.recorded_at,
            born: row.born_version.map(Into::into),
            died: row.died_version.map(Into::into),
            importance: row.importance,
            pinned: row.pinned,
            recalled: row.recalled.zip(row.recalled_at),
            vectors: vectors
                .ok_or_else(|| Error::inconsistent("context_vectors", "vector", id, "an unknown form"))?,
        })
    }
}

/// The numbers of a vector as pgvector sends it: two 16-bit words, the first of them the count, and big-endian floats. As
/// an array each number would bring its length along.
pub(crate) fn numbers(sent: &[u8]) -> Option<Vec<f32>> {
    let (head, body) = sent.split_at_checked(4)?;
    let count = usize::from(u16::from_be_bytes([head[0], head[1]]));
    let (words, rest) = body.as_chunks::<4>();
    (words.len() == count && rest.is_empty())
        .then(|| words.iter().map(|word| f32::from_be_bytes(*word)).collect())
}
