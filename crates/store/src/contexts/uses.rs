//! How often an entry was recalled, and when it was learnt again.

use chrono::{DateTime, Utc};
use hive_domain::ContextId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{error::Result, pool::Store};

impl Store {
    /// Adds to the counts of these entries; returns what they are now. Those that are gone are passed over.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn note_recalled(
        &self,
        counts: &[(ContextId, i64)],
    ) -> Result<Vec<(ContextId, i64, DateTime<Utc>)>> {
        let (ids, counts): (Vec<Uuid>, Vec<i64>) =
            counts.iter().map(|(id, count)| (id.uuid(), *count)).unzip();
        let noted = sqlx::query!(
            "INSERT INTO context_uses (context_id, recalled)
             SELECT n.id, n.count FROM unnest($1::uuid[], $2::bigint[]) AS n (id, count)
             JOIN contexts c ON c.id = n.id ORDER BY n.id
             ON CONFLICT (context_id) DO UPDATE
             SET recalled = context_uses.recalled + excluded.recalled, recalled_at = now()
             RETURNING context_id, recalled, recalled_at",
            &ids,
            &counts,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(noted.into_iter().map(|row| (row.context_id.into(), row.recalled, row.recalled_at)).collect())
    }
}

/// Makes entries as fresh as the freshest of `again`, which say the same, while the version of a night is active and for
/// that night itself: what is learnt again does not fade as if it had been said once.
pub(crate) async fn renew(
    connection: &mut PgConnection,
    version: Uuid,
    entries: &[Uuid],
    again: &[Uuid],
) -> Result<()> {
    sqlx::query!(
        "WITH fresh AS (
             SELECT max(greatest(c.recorded_at, u.renewed_at,
                                 (SELECT max(r.renewed_at)
                                  FROM context_renewals r JOIN memory_versions v ON v.id = r.version_id
                                  WHERE r.context_id = c.id AND (v.state = 'active' OR v.id = $3)))) AS at
             FROM contexts c LEFT JOIN context_uses u ON u.context_id = c.id WHERE c.id = ANY($2)
         )
         INSERT INTO context_renewals (context_id, version_id, renewed_at)
         SELECT c.id, $3, fresh.at FROM contexts c, fresh WHERE c.id = ANY($1) AND fresh.at > c.recorded_at ORDER BY c.id
         ON CONFLICT (context_id, version_id) DO UPDATE
         SET renewed_at = greatest(context_renewals.renewed_at, excluded.renewed_at)",
        entries,
        again,
        version,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Shows the indexes what a version renews, now that it is active.
pub(crate) async fn show_renewed(connection: &mut PgConnection, version: Uuid) -> Result<()> {
    sqlx::query!(
        "UPDATE contexts c SET changed_tx = pg_current_xact_id()
         FROM (SELECT id FROM contexts WHERE id IN (SELECT context_id FROM context_renewals WHERE version_id = $1)
               ORDER BY id FOR NO KEY UPDATE) AS own
         WHERE c.id = own.id",
        version
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes an entry as fresh as if it were stored now.
pub(super) async fn renew_now(connection: &mut PgConnection, entry: Uuid) -> Result<()> {
    sqlx::query!(
        "WITH renewed AS (
             UPDATE contexts SET changed_tx = pg_current_xact_id() WHERE id = $1 RETURNING id
         )
         INSERT INTO context_uses (context_id, renewed_at) SELECT id, now() FROM renewed
         ON CONFLICT (context_id) DO UPDATE SET renewed_at = greatest(context_uses.renewed_at, excluded.renewed_at)",
        entry,
    )
    .execute(connection)
    .await?;
    Ok(())
}
