//! What is told of one night beside how it stands: what it waits for, and what its gate missed.

use chrono::{DateTime, Utc};
use hive_domain::{ContextId, CycleId};

use crate::{error::Result, pool::Store};

/// Requests of a night that are not at their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleWait {
    /// When the oldest of them was made.
    pub since: DateTime<Utc>,
    /// Those that wait to be sent as a batch.
    pub queued: i64,
    /// Those that a batch of the provider holds.
    pub sent: i64,
}

/// Questions that the memory answers, and would not after a night.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostProbes {
    /// How many.
    pub count: i64,
    /// The first of them, in their order: the words, written over when what answers them was deleted or redacted, and what
    /// answers them.
    pub first: Vec<(String, ContextId)>,
}

impl Store {
    /// What a night waits for at the provider; none when it does not.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn cycle_wait(&self, id: CycleId) -> Result<Option<CycleWait>> {
        let row = sqlx::query!(
            r#"SELECT min(b.created_at) AS since, count(*) FILTER (WHERE b.state = 'queued') AS "queued!",
                      count(*) FILTER (WHERE b.state = 'sent') AS "sent!"
               FROM sleep_requests r
               JOIN sleep_cycles c ON c.id = r.cycle_id AND c.state = 'running'
               JOIN batch_requests b ON b.id = r.request_id AND b.state IN ('queued', 'sent')
               WHERE r.cycle_id = $1"#,
            id.uuid()
        );
        let row = row.fetch_one(&self.pool).await?;
        Ok(row.since.map(|since| CycleWait { since, queued: row.queued, sent: row.sent }))
    }

    /// Questions that the gate of a night found to be answered before and not after, the first `limit` in words.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn lost_probes(&self, id: CycleId, limit: i64) -> Result<LostProbes> {
        let rows = sqlx::query!(
            r#"SELECT question, evidence, count(*) OVER () AS "count!" FROM sleep_probes
               WHERE cycle_id = $1 AND before AND NOT after ORDER BY number LIMIT $2"#,
            id.uuid(),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(LostProbes {
            count: rows.first().map_or(0, |row| row.count),
            first: rows.into_iter().map(|row| (row.question, row.evidence.into())).collect(),
        })
    }
}
