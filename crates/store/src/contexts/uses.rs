//! How often an entry was recalled.

use chrono::{DateTime, Utc};
use hive_domain::ContextId;
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
