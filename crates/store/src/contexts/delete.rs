//! Deleting for good: the entry with all that it replaced, its vectors, what was drawn from nothing else, and what a night
//! retired for it.

use hive_domain::ContextId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{change, copies::blot_out, missing, told};
use crate::{error::Result, once::Once, pool::Store};

/// What a deletion did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// What is gone, by id.
    pub gone: Vec<ContextId>,
    /// What was drawn from it and from something else too: it stands, marked.
    pub flagged: Vec<ContextId>,
}

impl Store {
    /// See [`Once::delete_context`].
    ///
    /// # Errors
    /// As there.
    pub async fn delete_context(&self, id: ContextId, by: &str) -> Result<Deleted> {
        let mut once = self.alone().await?;
        let deleted = once.delete_context(id, by).await?;
        once.commit().await?;
        Ok(deleted)
    }
}

impl Once {
    /// Deletes an entry, and leaves a mark for each row that is gone that says nothing of it. What nights and kept answers say
    /// of it is written over, and what agents were told of it by briefings and in tasks that are over.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`]; [`crate::Error::Conflict`] `context_locked` when one of the rows is locked.
    pub async fn delete_context(&mut self, id: ContextId, by: &str) -> Result<Deleted> {
        let connection = self.connection()?;
        let mut gone = copies(connection, id).await?;
        loop {
            // In the order of their ids, so that no two deletions wait for each other.
            let rows = sqlx::query!(
                "SELECT id, locked FROM contexts WHERE id = ANY($1) ORDER BY id FOR UPDATE",
                &gone
            )
            .fetch_all(&mut *connection)
            .await?;
            if rows.iter().any(|row| row.locked) {
                return Err(change::locked());
            }
            // A night may have drawn on them, and have been published, while their locks were waited for. From now on
            // nobody draws on them.
            let now = copies(connection, id).await?;
            if now == gone {
                break;
            }
            gone = now;
        }
        blot_out(connection, &gone).await?;
        let words = told::words_of(connection, &gone).await?;
        told::blot_out_told(connection, &words).await?;
        let flagged = sqlx::query_scalar!(
            "WITH drawn AS (
                 SELECT id FROM contexts
                 WHERE id IN (SELECT context_id FROM context_sources WHERE source_id = ANY($1)) AND id <> ALL($1)
                 ORDER BY id FOR NO KEY UPDATE
             )
             UPDATE contexts SET source_gone = true, version = version + 1 FROM drawn WHERE contexts.id = drawn.id
             RETURNING contexts.id",
            &gone
        )
        .fetch_all(&mut *connection)
        .await?;
        sqlx::query!(
            "WITH stones AS (
                 INSERT INTO context_tombstones (context_id, project_id, cause_id, deleted_by)
                 SELECT id, project_id, $2, $3 FROM contexts WHERE id = ANY($1)
             )
             DELETE FROM contexts WHERE id = ANY($1)",
            &gone,
            id.uuid(),
            by,
        )
        .execute(connection)
        .await?;
        let ids = |ids: Vec<Uuid>| ids.into_iter().map(ContextId::from).collect();
        Ok(Deleted { gone: ids(gone), flagged: ids(flagged) })
    }
}

/// All rows that hold what the entry says: what it replaced, what replaced it, what was drawn from these alone, and what a
/// published night retired since one of these says the same; with the same of that.
pub(super) async fn copies(connection: &mut PgConnection, id: ContextId) -> Result<Vec<Uuid>> {
    let mut gone: Vec<Uuid> = sqlx::query_scalar!(
        "SELECT id FROM contexts WHERE lineage = (SELECT lineage FROM contexts WHERE id = $1) ORDER BY id",
        id.uuid()
    )
    .fetch_all(&mut *connection)
    .await?;
    if gone.is_empty() {
        return Err(missing(id));
    }
    loop {
        let more: Vec<Uuid> = sqlx::query_scalar!(
            "SELECT c.id FROM contexts c
             WHERE c.id <> ALL($1) AND c.lineage IN (
                 SELECT d.lineage FROM contexts d
                 WHERE d.id IN (SELECT context_id FROM context_sources WHERE source_id = ANY($1))
                   AND NOT EXISTS (SELECT FROM context_sources s WHERE s.context_id = d.id AND s.source_id <> ALL($1))
                 UNION
                 SELECT d.lineage FROM (
                     SELECT cycle_id, retired FROM sleep_changes WHERE born = ANY($1) AND kind = 'merged'
                     UNION
                     SELECT cycle_id, retired FROM sleep_changes
                     WHERE sources && $1 AND born IS NULL AND kind = 'merged') AS s
                 JOIN sleep_cycles n ON n.id = s.cycle_id AND n.state = 'completed'
                 JOIN contexts d ON d.id = ANY(s.retired) AND d.died_version = n.version_id)",
            &gone
        )
        .fetch_all(&mut *connection)
        .await?;
        if more.is_empty() {
            gone.sort_unstable();
            return Ok(gone);
        }
        gone.extend(more);
    }
}
