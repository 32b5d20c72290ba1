//! How well it goes for tasks that were given an entry.

use std::collections::HashMap;

use hive_domain::ContextId;
use uuid::Uuid;

use crate::{error::Result, pool::Store};

/// Tasks that are looked at for an entry: the latest ones.
const LOOKED_AT: i64 = 1_000;

/// What became of the latest 1,000 tasks that were given an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContextOutcomes {
    /// How many were given it.
    pub used: i64,
    /// Of these, those that ended and whose checks agreed.
    pub succeeded: i64,
    /// Those that failed or died. What was cancelled says nothing.
    pub failed: i64,
}

impl ContextOutcomes {
    /// The share of those that succeeded among those that ended either way; none before the first end.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let ended = self.succeeded + self.failed;
        (ended > 0).then(|| self.succeeded as f64 / ended as f64)
    }
}

impl Store {
    /// What became of the tasks that were given each of these entries; entries that nobody was given are not in it.
    /// Counted from the receipts and the ends of the tasks, whenever it is asked.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn context_outcomes(&self, ids: &[ContextId]) -> Result<HashMap<ContextId, ContextOutcomes>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let counted = sqlx::query!(
            r#"SELECT asked.id AS "id!", count(*) AS "used!",
                      count(*) FILTER (WHERE t.status = 'succeeded') AS "succeeded!",
                      count(*) FILTER (WHERE t.status IN ('failed', 'dead')) AS "failed!"
               FROM (SELECT DISTINCT unnest($1::uuid[]) AS id) AS asked
               CROSS JOIN LATERAL (SELECT r.task_id FROM context_receipts r WHERE r.context_id = asked.id
                                   ORDER BY r.task_id DESC LIMIT $2) AS given
               JOIN tasks t ON t.id = given.task_id
               GROUP BY asked.id"#,
            &ids,
            LOOKED_AT,
        );
        let counted = counted.fetch_all(&self.pool).await?.into_iter();
        let of = counted.map(|row| {
            let outcomes = ContextOutcomes { used: row.used, succeeded: row.succeeded, failed: row.failed };
            (row.id.into(), outcomes)
        });
        Ok(of.collect())
    }
}
