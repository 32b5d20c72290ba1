//! What people change: what an entry says, by a row that replaces it; and its marks, in place.

use chrono::{DateTime, Utc};
use hive_domain::ContextId;
use sqlx::PgConnection;

use super::{Context, Vectors, missing, put, vectors};
use crate::{
    error::{Error, Result},
    once::Once,
    pool::Store,
};

/// What is to change. What is not named stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContextChange {
    /// Another title.
    pub title: Option<String>,
    /// Another text.
    pub content: Option<String>,
    /// Since when the new text holds; now, unless named.
    pub since: Option<DateTime<Utc>>,
    /// The old text never held: it was wrong, not overtaken.
    pub correction: bool,
    /// How much it weighs.
    pub importance: Option<f32>,
    /// Whether it does not fade.
    pub pinned: Option<bool>,
    /// Whether nobody replaces it.
    pub locked: Option<bool>,
}

impl ContextChange {
    /// Whether what the entry says changes.
    #[must_use]
    pub const fn rewrites(&self) -> bool {
        self.title.is_some() || self.content.is_some()
    }
}

impl Store {
    /// See [`Once::change_context`]; what replaces it gets an id of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn change_context(
        &self,
        id: ContextId,
        expected: i32,
        change: &ContextChange,
        author: &str,
        vectors: Option<&Vectors>,
    ) -> Result<Context> {
        let mut once = self.alone().await?;
        let context = once.change_context(id, expected, change, ContextId::new(), author, vectors).await?;
        once.commit().await?;
        Ok(context)
    }
}

impl Once {
    /// Changes an entry at this version. When what it says changes, the old row is closed and a new one, `new`, takes its
    /// place; else the row is changed. Returns what stands now.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `context_changed`, `context_superseded`, `context_locked`;
    /// [`Error::Invalid`] when the new text would hold since before the old one did.
    pub async fn change_context(
        &mut self,
        id: ContextId,
        expected: i32,
        change: &ContextChange,
        new: ContextId,
        author: &str,
        vectors: Option<&Vectors>,
    ) -> Result<Context> {
        let connection = self.connection()?;
        let old = lock(connection, id, expected).await?;
        let stays_locked = old.locked && change.locked != Some(false);
        if stays_locked && (change.rewrites() || change.importance.is_some()) {
            return Err(locked());
        }
        if !change.rewrites() {
            mark(connection, id, change).await?;
            return put::read(connection, id).await;
        }
        let closed = sqlx::query!(
            "WITH time AS (
                 -- A new text that begins with the old one leaves it no time, as a correction does.
                 SELECT CASE WHEN $2 THEN valid_from ELSE COALESCE($3, now()) END AS since, valid_from, valid_to
                 FROM contexts WHERE id = $1
             ), new AS (
                 INSERT INTO contexts (id, lineage, scope, project_id, session_id, agent_id, parent_id, follows_id, kind,
                                       title, content, trust, author, task_id, run_epoch, step_seq, valid_from, valid_to,
                                       importance, pinned, locked, born_version)
                 SELECT $4, lineage, scope, project_id, session_id, agent_id, parent_id, follows_id, kind,
                        COALESCE($5, title), COALESCE($6, content), trust, $7, task_id, run_epoch, step_seq, since, c.valid_to,
                        COALESCE($8, importance), COALESCE($9, pinned), $10, born_version
                 FROM contexts c, time WHERE c.id = $1 AND since >= c.valid_from AND (c.valid_to IS NULL OR c.valid_to >= since)
                 RETURNING id
             ), sources AS (
                 INSERT INTO context_sources (context_id, source_id)
                 SELECT $4, source_id FROM context_sources, new WHERE context_id = $1
             )
             UPDATE contexts SET valid_to = (SELECT since FROM time), superseded_by = $4, locked = false,
                                 version = version + 1, changed_tx = pg_current_xact_id()
             FROM new WHERE contexts.id = $1",
            id.uuid(),
            change.correction,
            change.since,
            new.uuid(),
            change.title,
            change.content,
            author,
            change.importance,
            change.pinned,
            change.locked.unwrap_or(false),
        )
        .execute(&mut *connection)
        .await?;
        if closed.rows_affected() == 0 {
            let message = "lies outside of the time that the entry holds".to_owned();
            return Err(Error::Invalid { field: "/since", message });
        }
        vectors::attach(connection, new, vectors).await?;
        put::read(connection, new).await
    }
}

async fn mark(connection: &mut PgConnection, id: ContextId, change: &ContextChange) -> Result<()> {
    sqlx::query!(
        "UPDATE contexts SET importance = COALESCE($2, importance), pinned = COALESCE($3, pinned),
                             locked = COALESCE($4, locked), version = version + 1, changed_tx = pg_current_xact_id(),
                             -- A night that is not published must not retire what is locked; see the constraint.
                             died_version = CASE WHEN $4 AND NOT EXISTS (
                                     SELECT FROM memory_versions v WHERE v.id = died_version AND v.state = 'active')
                                 THEN NULL ELSE died_version END
         WHERE id = $1",
        id.uuid(),
        change.importance,
        change.pinned,
        change.locked,
    )
    .execute(connection)
    .await
    .map_err(|error| match Error::constraint(&error) {
        Some("contexts_locked_survives") => {
            let message = "a night retired the entry; take the night back to lock it".to_owned();
            Error::Conflict { code: "context_retired", message }
        }
        _ => error.into(),
    })?;
    Ok(())
}

/// The entry, locked against others; only one that stands.
async fn lock(connection: &mut PgConnection, id: ContextId, expected: i32) -> Result<Context> {
    sqlx::query!("SELECT id FROM contexts WHERE id = $1 FOR NO KEY UPDATE", id.uuid())
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| missing(id))?;
    let old = put::read(connection, id).await?;
    if let Some(by) = old.superseded_by {
        let message = format!("the entry was replaced by {by}");
        return Err(Error::Conflict { code: "context_superseded", message });
    }
    if old.version != expected {
        let message = format!("the entry is at version {}, not {expected}", old.version);
        return Err(Error::Conflict { code: "context_changed", message });
    }
    Ok(old)
}

pub(super) fn locked() -> Error {
    Error::Conflict { code: "context_locked", message: "the entry is locked; unlock it first".to_owned() }
}
