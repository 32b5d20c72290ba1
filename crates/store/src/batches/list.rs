//! Batches as people and dashboards see them.

use chrono::{DateTime, Utc};
use hive_domain::{BatchState, NanoUsd};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// A batch with what its requests came to.
#[derive(Clone, Debug)]
pub struct ListedBatch {
    /// Its id.
    pub id: Uuid,
    /// Its name at the provider; `None` before it is known.
    pub provider_id: Option<String>,
    /// The model.
    pub model: String,
    /// Where it stands.
    pub state: BatchState,
    /// How many requests it was made of.
    pub requests: i32,
    /// Of them, those that were answered.
    pub answered: i64,
    /// Of them, those that were not.
    pub failed: i64,
    /// Of them, those of which nobody knows what came.
    pub unknown: i64,
    /// What it cost.
    pub cost: NanoUsd,
    /// What its open requests may cost at most.
    pub reserved: NanoUsd,
    /// When it was noted.
    pub created_at: DateTime<Utc>,
    /// When what is not done by then expires, as the provider says.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it is looked at next; `None` when it has ended.
    pub next_poll_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The last failure, or what is not decided yet.
    pub detail: Option<String>,
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchCensus {
    /// Requests that wait for a batch.
    pub queued: i64,
    /// Of them, those that found no room in a budget when they were last taken.
    pub poor: i64,
    /// Requests that are in a batch.
    pub sent: i64,
    /// Seconds since the oldest of all these was queued; 0 without any.
    pub oldest_seconds: f64,
}

impl Store {
    /// Batches, the newest first, older than `before`, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn batches(&self, before: Option<Uuid>, limit: i64) -> Result<Vec<ListedBatch>> {
        let rows = sqlx::query!(
            r#"SELECT b.id, b.provider_id, b.model, b.state::text AS "state!", b.requests, b.created_at, b.expires_at,
                      CASE WHEN b.ended_at IS NULL THEN b.next_poll_at END AS next_poll_at, b.ended_at, b.detail,
                      c.answered AS "answered!", c.failed AS "failed!", c.unknown AS "unknown!", c.cost AS "cost!",
                      c.reserved AS "reserved!"
               FROM batches b
               CROSS JOIN LATERAL (
                   SELECT count(*) FILTER (WHERE state = 'answered') AS answered,
                          count(*) FILTER (WHERE state = 'failed') AS failed,
                          count(*) FILTER (WHERE state = 'unknown') AS unknown,
                          coalesce(sum(cost_nano_usd), 0)::bigint AS cost,
                          coalesce(sum(reserved_nano_usd) FILTER (WHERE state = 'intent'), 0)::bigint AS reserved
                   FROM batch_calls WHERE batch_id = b.id) AS c
               WHERE $1::uuid IS NULL OR b.id < $1 ORDER BY b.id DESC LIMIT $2"#,
            before,
            limit,
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter().map(|row| {
            Ok(ListedBatch {
                id: row.id,
                provider_id: row.provider_id,
                model: row.model,
                state: row.state.parse().map_err(|e| Error::inconsistent("batches", "state", row.id, e))?,
                requests: row.requests,
                answered: row.answered,
                failed: row.failed,
                unknown: row.unknown,
                cost: NanoUsd(row.cost),
                reserved: NanoUsd(row.reserved),
                created_at: row.created_at,
                expires_at: row.expires_at,
                next_poll_at: row.next_poll_at,
                ended_at: row.ended_at,
                detail: row.detail,
            })
        });
        rows.collect()
    }

    /// Counts what waits.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn batch_census(&self) -> Result<BatchCensus> {
        let census = sqlx::query_as!(
            BatchCensus,
            r#"SELECT count(*) FILTER (WHERE state = 'queued') AS "queued!",
                      count(*) FILTER (WHERE state = 'queued' AND budget_id IS NOT NULL) AS "poor!",
                      count(*) FILTER (WHERE state = 'sent') AS "sent!",
                      coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS "oldest_seconds!"
               FROM batch_requests WHERE state IN ('queued', 'sent')"#,
        );
        Ok(census.fetch_one(&self.pool).await?)
    }
}
