//! What a night changes, one thing after the other. A change is made whole in the transaction of its phase's mark.

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, ContextId, MemoryOwner, ProjectId, SessionId, TrustClass};
use sqlx::PgConnection;
use uuid::Uuid;

use super::CycleLease;
use crate::{
    contexts::{Origin, uses, vectors},
    error::{Error, Result},
    text::storable,
};

/// What was done, as the difference shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Drawn from a journal.
    Extracted,
    /// Says what its sources said; without a new entry, one of them does.
    Merged,
    /// Was overtaken.
    Superseded,
    /// Rose to the project.
    Promoted,
    /// Had faded.
    Decayed,
    /// Was asked about, and is left as it is.
    Kept,
    /// Was proposed, and a guard said no.
    Refused,
}

impl ChangeKind {
    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Extracted => "extracted",
            Self::Merged => "merged",
            Self::Superseded => "superseded",
            Self::Promoted => "promoted",
            Self::Decayed => "decayed",
            Self::Kept => "kept",
            Self::Refused => "refused",
        }
    }
}

/// One thing that a night does.
#[derive(Clone, Debug)]
pub struct NightChange {
    /// What.
    pub kind: ChangeKind,
    /// The entry that it brings, if any.
    pub born: Option<NightEntry>,
    /// Entries that it retires, at the version that the night read.
    pub retired: Vec<(ContextId, i32)>,
    /// What it was drawn from, or what it is about, at the version that the night read or asked about. Of an entry that
    /// was overtaken, the later one is among them.
    pub sources: Vec<(ContextId, i32)>,
    /// Why, for people.
    pub reason: String,
}

/// An entry that a night brings. Its sources are those of its change.
#[derive(Clone, Debug)]
pub struct NightEntry {
    /// Chosen by the caller.
    pub id: ContextId,
    /// In whose place it stands; its own id unless named.
    pub lineage: Option<ContextId>,
    /// Whose it is.
    pub owner: MemoryOwner,
    /// What it is a part of.
    pub parent: Option<ContextId>,
    /// What kind of thing it is.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// What it says.
    pub content: String,
    /// How far it is believed; lowered to the least of its sources.
    pub trust: TrustClass,
    /// Where it came from.
    pub origin: Option<Origin>,
    /// Since when it holds.
    pub valid_from: DateTime<Utc>,
    /// Until when it held.
    pub valid_to: Option<DateTime<Utc>>,
    /// What overtook it.
    pub superseded_by: Option<ContextId>,
    /// How much it weighs.
    pub importance: f32,
    /// The entry whose vectors are its own, since it says the same letter by letter.
    pub vectors_of: Option<ContextId>,
}

/// Who an entry of a night is by.
const AUTHOR: &str = "night";

/// Writes changes of a phase. The cycle is held.
pub(super) async fn write(
    connection: &mut PgConnection,
    lease: &CycleLease,
    phase: &str,
    changes: &[NightChange],
) -> Result<()> {
    // In the order of their ids, so that no two writers wait for each other.
    let touched: Vec<Uuid> = changes
        .iter()
        .flat_map(|change| change.retired.iter().chain(&change.sources))
        .map(|(id, _)| id.uuid())
        .collect();
    sqlx::query!("SELECT FROM contexts WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", &touched)
        .fetch_all(&mut *connection)
        .await?;
    for change in changes {
        write_one(connection, lease, phase, change).await?;
    }
    Ok(())
}

async fn write_one(
    connection: &mut PgConnection,
    lease: &CycleLease,
    phase: &str,
    change: &NightChange,
) -> Result<()> {
    let version = lease.cycle.version.uuid();
    let unzipped = |pairs: &[(ContextId, i32)]| -> (Vec<Uuid>, Vec<i32>) {
        pairs.iter().map(|(id, version)| (id.uuid(), *version)).unzip()
    };
    let ((ids, versions), sources) = (unzipped(&change.retired), unzipped(&change.sources));
    let kind = change.kind;
    if !matches!(kind, ChangeKind::Kept | ChangeKind::Refused) && !as_read(connection, &sources).await? {
        let reason = format!("{}; but somebody changed or deleted what it was drawn from", change.reason);
        return note(connection, lease, phase, ("dropped", &reason), None, (&[], &[]), &sources).await;
    }
    // What somebody changed, took under protection or deleted since it was read is none of ours any more: the whole change
    // falls away, and is proposed anew another night.
    let retired = sqlx::query_scalar!(
        "UPDATE contexts c SET died_version = $1, changed_tx = pg_current_xact_id()
         FROM unnest($2::uuid[], $3::int[]) AS g (id, version)
         WHERE c.id = g.id AND c.version = g.version AND NOT c.locked AND NOT c.pinned AND c.superseded_by IS NULL
           AND (c.died_version IS NULL OR NOT EXISTS (
                   SELECT FROM memory_versions v WHERE v.id = c.died_version AND v.state IN ('active', 'building')))
           AND (SELECT count(*) FROM contexts o JOIN unnest($2::uuid[], $3::int[]) AS h (id, version)
                    ON h.id = o.id AND h.version = o.version AND NOT o.locked AND NOT o.pinned) = cardinality($2::uuid[])
         RETURNING c.id",
        version,
        &ids,
        &versions,
    )
    .fetch_all(&mut *connection)
    .await?;
    if retired.len() < ids.len() {
        sqlx::query!(
            "UPDATE contexts SET died_version = NULL, changed_tx = pg_current_xact_id() WHERE id = ANY($1)",
            &retired,
        )
        .execute(&mut *connection)
        .await?;
        let reason = format!("{}; but somebody changed one of them meanwhile", change.reason);
        return note(connection, lease, phase, ("dropped", &reason), None, (&[], &[]), &sources).await;
    }
    if let Some(born) = &change.born {
        bring(connection, lease, born, &sources.0).await?;
    } else if kind == ChangeKind::Merged {
        uses::renew(connection, version, &sources.0, &ids).await?;
    }
    let born = change.born.as_ref().map(|born| born.id.uuid());
    let said = (kind.as_str(), &*change.reason);
    note(connection, lease, phase, said, born, (&ids, &versions), &sources).await
}

/// Whether all of these are as they were read.
async fn as_read(connection: &mut PgConnection, (ids, versions): &(Vec<Uuid>, Vec<i32>)) -> Result<bool> {
    let changed = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM unnest($1::uuid[], $2::int[]) AS g (id, version) LEFT JOIN contexts c ON c.id = g.id
               WHERE c.version IS DISTINCT FROM g.version) AS "changed!""#,
        ids,
        versions,
    );
    Ok(!changed.fetch_one(connection).await?)
}

async fn note(
    connection: &mut PgConnection,
    lease: &CycleLease,
    phase: &str,
    (kind, reason): (&str, &str),
    born: Option<Uuid>,
    (retired, versions): (&[Uuid], &[i32]),
    (sources, source_versions): &(Vec<Uuid>, Vec<i32>),
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO sleep_changes (id, cycle_id, phase, kind, born, retired, versions, sources, source_versions, reason)
         VALUES ($1, $2, $3::text::sleep_phase, $4::text::sleep_change_kind, $5, $6, $7, $8, $9, $10)",
        Uuid::now_v7(),
        lease.cycle.id.uuid(),
        phase,
        kind,
        born,
        retired,
        versions,
        sources,
        source_versions,
        &*storable(reason),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn bring(
    connection: &mut PgConnection,
    lease: &CycleLease,
    born: &NightEntry,
    sources: &[Uuid],
) -> Result<()> {
    let owner = born.owner;
    // What overtook it is none of what it was drawn from.
    let later = born.superseded_by.map(ContextId::uuid);
    let sources: Vec<Uuid> = sources.iter().copied().filter(|source| Some(*source) != later).collect();
    let least = sqlx::query_scalar!(
        "SELECT min(trust)::text FROM contexts WHERE id = ANY($1) AND (project_id = $2 OR scope = 'org' OR $2::uuid IS NULL)",
        &sources,
        owner.project().map(ProjectId::uuid),
    )
    .fetch_one(&mut *connection)
    .await?;
    let least: Option<TrustClass> = least
        .map(|trust| trust.parse())
        .transpose()
        .map_err(|e| Error::inconsistent("contexts", "trust", born.id, e))?;
    sqlx::query!(
        "WITH new AS (
             INSERT INTO contexts (id, lineage, scope, project_id, session_id, agent_id, parent_id, kind, title, content,
                                   trust, author, task_id, run_epoch, step_seq, valid_from, valid_to, superseded_by,
                                   importance, born_version)
             VALUES ($1, $2, $3::text::memory_scope, $4, $5, $6, $7, $8, $9, $10, $11::text::trust_class, $12, $13, $14,
                     $15, $16, $17, $18, $19, $20)
             RETURNING id
         )
         INSERT INTO context_sources (context_id, source_id) SELECT id, unnest($21::uuid[]) FROM new",
        born.id.uuid(),
        born.lineage.unwrap_or(born.id).uuid(),
        owner.scope().as_str(),
        owner.project().map(ProjectId::uuid),
        owner.session().map(SessionId::uuid),
        owner.agent().map(AgentId::uuid),
        born.parent.map(ContextId::uuid),
        born.kind,
        &*storable(&born.title),
        &*storable(&born.content),
        least.map_or(born.trust, |least| least.min(born.trust)).as_str(),
        AUTHOR,
        born.origin.map(|origin| origin.task.uuid()),
        born.origin.and_then(|origin| origin.run),
        born.origin.and_then(|origin| origin.step),
        born.valid_from,
        born.valid_to,
        born.superseded_by.map(ContextId::uuid),
        born.importance,
        lease.cycle.version.uuid(),
        &sources,
    )
    .execute(&mut *connection)
    .await?;
    if let Some(same) = born.vectors_of {
        sqlx::query!(
            "INSERT INTO context_vectors (context_id, model, chunk, dims, vector)
             SELECT $1, model, chunk, dims, vector FROM context_vectors WHERE context_id = $2",
            born.id.uuid(),
            same.uuid(),
        )
        .execute(&mut *connection)
        .await?;
        // Where the other one waits for vectors, so does this one.
        sqlx::query!(
            "INSERT INTO context_vectors_due (model, context_id)
             SELECT model, $1 FROM context_vectors_due WHERE context_id = $2 ON CONFLICT DO NOTHING",
            born.id.uuid(),
            same.uuid(),
        )
        .execute(connection)
        .await?;
        return Ok(());
    }
    vectors::attach(connection, born.id, None).await
}
