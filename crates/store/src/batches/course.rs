//! The course of a batch from its intent to its end.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::MOST_TRIES;
use crate::{error::Result, pool::Store, text::storable};

/// A batch that somebody has to look at.
#[derive(Clone, Debug)]
pub struct OpenBatch {
    /// Its id.
    pub id: Uuid,
    /// The model of its requests.
    pub model: String,
    /// What stands for the key that it was noted under.
    pub key: String,
    /// How many they are.
    pub requests: i32,
    /// When it was noted.
    pub created_at: DateTime<Utc>,
    /// How long ago that is.
    pub age: Duration,
    /// Its name at the provider; `None`: nobody knows whether it was created.
    pub provider_id: Option<String>,
    /// Batches at the provider that were looked at and are not this one.
    pub not_ours: Vec<String>,
    /// How often it was looked at.
    pub polls: i32,
    /// The time is over in which the provider works on it.
    pub is_overdue: bool,
}

/// How a batch ended that brought no results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchEnd {
    /// It was never created; nothing was charged, and its requests wait again, without a try of theirs being used.
    Unsent,
    /// The service refused it; the same, and a try of each request is used up.
    Refused,
    /// The service does not have it, or its results, any more: nobody knows what was charged.
    Lost,
}

impl Store {
    /// Open batches whose time to be looked at has come.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn batches_due(&self) -> Result<Vec<OpenBatch>> {
        let rows = sqlx::query!(
            r#"SELECT id, model, key_id, requests, created_at, provider_id, not_ours, polls,
                      extract(epoch FROM now() - created_at)::float8 AS "age!",
                      coalesce(expires_at < now(), false) AS "is_overdue!"
               FROM batches WHERE state IN ('intent', 'created') AND next_poll_at <= now()
               ORDER BY next_poll_at LIMIT 100"#,
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter().map(|row| OpenBatch {
            id: row.id,
            model: row.model,
            key: row.key_id,
            requests: row.requests,
            created_at: row.created_at,
            age: Duration::try_from_secs_f64(row.age).unwrap_or_default(),
            provider_id: row.provider_id,
            not_ours: row.not_ours,
            polls: row.polls,
            is_overdue: row.is_overdue,
        });
        Ok(rows.collect())
    }

    /// How many batches are noted of which nobody knows whether they were created, for less than this time.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn batches_undecided(&self, younger: Duration) -> Result<i64> {
        let undecided = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM batches
               WHERE state = 'intent' AND created_at > now() - make_interval(secs => $1)"#,
            younger.as_secs_f64(),
        );
        Ok(undecided.fetch_one(&self.pool).await?)
    }

    /// Which of these batches at the provider are known here.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn known_batches(&self, provider_ids: &[String]) -> Result<Vec<String>> {
        let known = sqlx::query_scalar!(
            r#"SELECT provider_id AS "id!" FROM batches WHERE provider_id = ANY ($1)"#,
            provider_ids
        );
        Ok(known.fetch_all(&self.pool).await?)
    }

    /// Which of these requests are open in this batch.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn requests_in_batch(&self, batch: Uuid, requests: &[Uuid]) -> Result<Vec<Uuid>> {
        let found = sqlx::query_scalar!(
            "SELECT request_id FROM batch_calls WHERE batch_id = $1 AND request_id = ANY ($2)",
            batch,
            requests,
        );
        Ok(found.fetch_all(&self.pool).await?)
    }

    /// Notes that a batch stands at the provider. False: it was given up meanwhile, and must be cancelled there.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn batch_created(
        &self,
        batch: Uuid,
        provider_id: &str,
        expires_at: DateTime<Utc>,
        next: Duration,
    ) -> Result<bool> {
        let created = sqlx::query!(
            "UPDATE batches
             SET state = 'created', provider_id = $2, expires_at = $3, detail = NULL, polls = 0,
                 next_poll_at = now() + make_interval(secs => $4)
             WHERE id = $1 AND (state = 'intent' OR state = 'created' AND provider_id = $2)",
            batch,
            &*storable(provider_id),
            expires_at,
            next.as_secs_f64(),
        );
        Ok(created.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Notes that a batch was looked at, and when it is looked at again; `detail` says what was in the way.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn poll_batch_again(&self, batch: Uuid, next: Duration, detail: Option<&str>) -> Result<()> {
        let detail = detail.map(storable);
        sqlx::query!(
            "UPDATE batches
             SET polls = polls + 1, next_poll_at = now() + make_interval(secs => $2), detail = $3
             WHERE id = $1 AND state IN ('intent', 'created')",
            batch,
            next.as_secs_f64(),
            detail.as_deref(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that a batch at the provider is not this one; it is searched for among the others.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn not_this_batch(&self, batch: Uuid, provider_id: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE batches
             SET state = 'intent', provider_id = NULL, expires_at = NULL, next_poll_at = now(),
                 not_ours = array_append(array_remove(not_ours, $2), $2)
             WHERE id = $1 AND (state = 'intent' OR state = 'created' AND provider_id = $2)",
            batch,
            &*storable(provider_id),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ends a batch without results; its requests wait again, `after` this time, unless their tries are used up. False: it
    /// had ended.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn give_up_batch(
        &self,
        batch: Uuid,
        end: BatchEnd,
        detail: &str,
        after: Duration,
    ) -> Result<bool> {
        let (state, call, takes_back) = match end {
            BatchEnd::Unsent => ("unsent", "failed", 1_i16),
            BatchEnd::Refused => ("unsent", "failed", 0),
            BatchEnd::Lost => ("lost", "unknown", 0),
        };
        let detail = storable(detail);
        let given_up = sqlx::query!(
            "WITH batch AS (
                 UPDATE batches SET state = $2::text::batch_state, detail = $4, ended_at = now()
                 WHERE id = $1 AND state IN ('intent', 'created')
                 RETURNING id
             ), held AS (
                 SELECT r.id FROM batch_requests r JOIN batch ON batch.id = r.batch_id
                 WHERE r.state = 'sent' ORDER BY r.id FOR NO KEY UPDATE OF r
             ), call AS (
                 UPDATE batch_calls c SET state = $3::text::call_state, error = $4, finished_at = now()
                 FROM batch WHERE c.batch_id = batch.id AND c.state = 'intent'
             ), request AS (
                 UPDATE batch_requests r
                 SET state = CASE WHEN r.tries - $5 < $6 THEN 'queued'::batch_request_state ELSE 'errored' END,
                     completed_at = CASE WHEN r.tries - $5 < $6 THEN NULL ELSE now() END, tries = r.tries - $5, error = $4,
                     not_before = now() + make_interval(secs => $7), updated_at = now()
                 FROM held WHERE r.id = held.id
             )
             SELECT id FROM batch",
            batch,
            state,
            call,
            &*detail,
            takes_back,
            MOST_TRIES,
            after.as_secs_f64(),
        );
        Ok(given_up.fetch_optional(&self.pool).await?.is_some())
    }
}
