//! The difference that a night made, for people: each change with its reason and the entries that it is about.

use std::collections::HashMap;

use hive_domain::{ContextId, CycleId, CyclePhase, MemoryScope, TrustClass};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// The kinds of change, as they are stored.
pub const CHANGE_KINDS: [&str; 8] =
    ["extracted", "merged", "superseded", "promoted", "decayed", "kept", "refused", "dropped"];

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct CycleChange {
    /// Its id; they come in the order in which they were made.
    pub id: Uuid,
    /// The phase that made it.
    pub phase: CyclePhase,
    /// One of [`CHANGE_KINDS`].
    pub kind: String,
    /// Why.
    pub reason: String,
    /// What it brought.
    pub born: Option<ShownEntry>,
    /// What it retired.
    pub retired: Vec<ShownEntry>,
    /// What it was drawn from, or what it is about.
    pub sources: Vec<ShownEntry>,
}

/// An entry in a difference.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownEntry {
    /// Its id.
    pub id: ContextId,
    /// What it says and how it stands; none when it is gone.
    pub entry: Option<EntryText>,
}

/// What is shown of an entry.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryText {
    /// Who may recall it.
    pub scope: MemoryScope,
    /// What kind of thing it is.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// What it says.
    pub content: String,
    /// How far it is believed.
    pub trust: TrustClass,
}

impl Store {
    /// Changes of a night in their order, those after `after` when it is named, at most `limit`, of one kind if it is named.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such night.
    pub async fn cycle_changes(
        &self,
        id: CycleId,
        kind: Option<&str>,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<CycleChange>> {
        let mut connection = self.pool.acquire().await?;
        super::read::one(&mut connection, id).await?;
        let rows = sqlx::query!(
            r#"SELECT id, phase::text AS "phase!", kind::text AS "kind!", reason, born, retired, sources FROM sleep_changes
               WHERE cycle_id = $1 AND ($2::text IS NULL OR kind = $2::text::sleep_change_kind)
                 AND ($3::uuid IS NULL OR id > $3)
               ORDER BY id LIMIT $4"#,
            id.uuid(),
            kind,
            after,
            limit,
        )
        .fetch_all(&mut *connection)
        .await?;
        let ids: Vec<Uuid> = rows
            .iter()
            .flat_map(|row| row.retired.iter().chain(&row.sources).copied().chain(row.born))
            .collect();
        let texts = sqlx::query!(
            r#"SELECT id, scope::text AS "scope!", kind, title, content, trust::text AS "trust!" FROM contexts
               WHERE id = ANY($1)"#,
            &ids,
        )
        .fetch_all(&mut *connection)
        .await?;
        let mut entries = HashMap::new();
        for row in texts {
            let wrong = |column, error| Error::inconsistent("contexts", column, row.id, error);
            let text = EntryText {
                scope: row.scope.parse().map_err(|e| wrong("scope", e))?,
                kind: row.kind,
                title: row.title,
                content: row.content,
                trust: row.trust.parse().map_err(|e| wrong("trust", e))?,
            };
            entries.insert(row.id, text);
        }
        let shown = |id: Uuid| ShownEntry { id: id.into(), entry: entries.get(&id).cloned() };
        let changes = rows.into_iter().map(|row| {
            Ok(CycleChange {
                id: row.id,
                phase: row
                    .phase
                    .parse()
                    .map_err(|e| Error::inconsistent("sleep_changes", "phase", row.id, e))?,
                kind: row.kind,
                reason: row.reason,
                born: row.born.map(shown),
                retired: row.retired.into_iter().map(shown).collect(),
                sources: row.sources.into_iter().map(shown).collect(),
            })
        });
        changes.collect()
    }
}
