//! Booking results, each once.

use std::time::Duration;

use hive_domain::Usage;
use uuid::Uuid;

use super::MOST_TRIES;
use crate::{error::Result, pool::Store, text::storable};

/// What a line of the results says.
#[derive(Clone, Debug)]
pub struct BatchResult {
    /// The request.
    pub request: Uuid,
    /// What follows.
    pub verdict: BatchVerdict,
}

/// What follows from a result.
#[derive(Clone, Debug)]
pub enum BatchVerdict {
    /// A reply.
    Succeeded {
        /// The message as it came.
        result: String,
        /// What it used and cost.
        usage: Usage,
    },
    /// An error that passes: another try, after this time, unless the tries are used up.
    Again {
        /// What went wrong.
        error: String,
        /// Not before.
        after: Duration,
    },
    /// It expired: another try, unless the tries are used up.
    Expired,
    /// An error that does not pass.
    Errored {
        /// What went wrong.
        error: String,
    },
    /// It was cancelled.
    Canceled,
    /// What came cannot be read, and may have been charged: another try, unless the tries are used up.
    Unknown {
        /// Why.
        error: String,
    },
}

/// What a verdict does to the request and to its try, in the words of the schema.
struct Booking<'a> {
    call: &'static str,
    /// The state of the request, after its last try where there may be another.
    last: &'static str,
    again: bool,
    error: Option<&'a str>,
    after: f64,
}

impl BatchVerdict {
    fn booking(&self) -> Booking<'_> {
        let ends = |call, last, error| Booking { call, last, again: false, error, after: 0.0 };
        match self {
            Self::Succeeded { .. } => ends("answered", "succeeded", None),
            Self::Again { error, after } => {
                Booking { again: true, after: after.as_secs_f64(), ..ends("failed", "errored", Some(error)) }
            }
            Self::Expired => Booking {
                again: true,
                ..ends("failed", "expired", Some("the batch expired before its turn"))
            },
            Self::Errored { error } => ends("failed", "errored", Some(error)),
            Self::Canceled => ends("failed", "canceled", Some("the batch was cancelled before its turn")),
            Self::Unknown { error } => Booking { again: true, ..ends("unknown", "errored", Some(error)) },
        }
    }
}

impl Store {
    /// Books results of a batch. One that was booked before, or that names no request of the batch, changes nothing.
    /// Returns how many were booked.
    ///
    /// # Errors
    /// When Postgres refuses; then none of them is booked.
    pub async fn record_batch_results(&self, batch: Uuid, results: &[BatchResult]) -> Result<u64> {
        let bookings: Vec<_> = results.iter().map(|result| result.verdict.booking()).collect();
        let replies: Vec<_> = results
            .iter()
            .map(|result| match &result.verdict {
                BatchVerdict::Succeeded { result, usage } => (Some(storable(result).into_owned()), *usage),
                _ => (None, Usage::default()),
            })
            .collect();
        let count = |field: fn(&Usage) -> i64| replies.iter().map(|(_, u)| field(u)).collect::<Vec<_>>();
        let ids: Vec<Uuid> = results.iter().map(|result| result.request).collect();
        let mut tx = self.pool.begin().await?;
        // Who settles a task holds it and then books on budgets: the same order here, or the two wait for each other.
        sqlx::query!(
            "SELECT FROM tasks
             WHERE id = ANY (SELECT c.task_id FROM batch_calls c WHERE c.batch_id = $1 AND c.request_id = ANY ($2))
             ORDER BY id FOR NO KEY UPDATE",
            batch,
            &ids,
        )
        .fetch_all(&mut *tx)
        .await?;
        let booked = sqlx::query_scalar!(
            r#"WITH given AS (
                   SELECT DISTINCT ON (request) *
                   FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bool[], $6::text[], $7::float8[], $8::text[],
                               $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[])
                            AS g (request, call, last, again, error, after, result, input, output, cache_read, cache_write,
                                  cache_write_1h, cost)
                   ORDER BY request
               ), held AS (
                   SELECT r.id FROM batch_requests r JOIN given g ON g.request = r.id
                   WHERE r.state = 'sent' AND r.batch_id = $1 ORDER BY r.id FOR NO KEY UPDATE OF r
               ), call AS (
                   UPDATE batch_calls c
                   SET state = g.call::call_state, error = g.error, input_tokens = g.input, output_tokens = g.output,
                       cache_read_tokens = g.cache_read, cache_write_tokens = g.cache_write,
                       cache_write_1h_tokens = g.cache_write_1h, cost_nano_usd = g.cost, finished_at = now()
                   FROM given g JOIN held ON held.id = g.request
                   WHERE c.batch_id = $1 AND c.request_id = g.request AND c.state = 'intent'
                   RETURNING c.*
               ), request AS (
                   UPDATE batch_requests r
                   SET state = CASE WHEN g.again AND r.tries < $15 THEN 'queued' ELSE g.last END::batch_request_state,
                       completed_at = CASE WHEN g.again AND r.tries < $15 THEN NULL ELSE now() END, error = g.error,
                       result = g.result, not_before = now() + make_interval(secs => g.after), updated_at = now()
                   FROM given g JOIN call ON call.request_id = g.request
                   WHERE r.id = g.request
                   RETURNING r.id
               ), task AS (
                   UPDATE tasks t
                   SET input_tokens = t.input_tokens + s.input, output_tokens = t.output_tokens + s.output,
                       cache_read_tokens = t.cache_read_tokens + s.cache_read,
                       cache_write_tokens = t.cache_write_tokens + s.cache_write, cost_nano_usd = t.cost_nano_usd + s.cost
                   FROM (SELECT task_id, sum(input_tokens)::bigint AS input, sum(output_tokens)::bigint AS output,
                                sum(cache_read_tokens)::bigint AS cache_read, sum(cache_write_tokens)::bigint AS cache_write,
                                sum(cost_nano_usd)::bigint AS cost
                         FROM call WHERE state = 'answered' AND task_id IS NOT NULL GROUP BY task_id) AS s
                   WHERE t.id = s.task_id
               )
               SELECT count(*) AS "count!" FROM request"#,
            batch,
            &ids,
            &bookings.iter().map(|b| b.call.to_owned()).collect::<Vec<_>>(),
            &bookings.iter().map(|b| b.last.to_owned()).collect::<Vec<_>>(),
            &bookings.iter().map(|b| b.again).collect::<Vec<_>>(),
            &bookings.iter().map(|b| b.error.map(|e| storable(e).into_owned())).collect::<Vec<_>>()
                as &[Option<String>],
            &bookings.iter().map(|b| b.after).collect::<Vec<_>>(),
            &replies.iter().map(|(result, _)| result.clone()).collect::<Vec<_>>() as &[Option<String>],
            &count(|u| u.input_tokens),
            &count(|u| u.output_tokens),
            &count(|u| u.cache_read_tokens),
            &count(|u| u.cache_write_tokens),
            &count(|u| u.cache_write_1h_tokens),
            &count(|u| u.cost.0),
            MOST_TRIES,
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(u64::try_from(booked).unwrap_or(0))
    }

    /// Ends a batch whose results were read to their end, with what the provider counted: succeeded, errored, canceled and
    /// expired. Requests that no line named get another try, and what they may have cost is assumed. Returns how many those
    /// are; `None` when it had ended.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn end_batch(&self, batch: Uuid, counts: [u64; 4]) -> Result<Option<i64>> {
        let [succeeded, errored, canceled, expired] = counts.map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        let unnamed = sqlx::query_scalar!(
            r#"WITH batch AS (
                   UPDATE batches
                   SET state = 'ended', succeeded = $2, errored = $3, canceled = $4, expired = $5, ended_at = now(),
                       detail = NULL
                   WHERE id = $1 AND state = 'created'
                   RETURNING id
               ), held AS (
                   SELECT r.id FROM batch_requests r JOIN batch ON batch.id = r.batch_id
                   WHERE r.state = 'sent' ORDER BY r.id FOR NO KEY UPDATE OF r
               ), call AS (
                   UPDATE batch_calls c SET state = 'unknown', error = 'no result names it', finished_at = now()
                   FROM batch WHERE c.batch_id = batch.id AND c.state = 'intent'
               ), request AS (
                   UPDATE batch_requests r
                   SET state = CASE WHEN r.tries < $6 THEN 'queued'::batch_request_state ELSE 'errored' END,
                       completed_at = CASE WHEN r.tries < $6 THEN NULL ELSE now() END, error = 'no result names it',
                       not_before = now(), updated_at = now()
                   FROM held WHERE r.id = held.id
                   RETURNING r.id
               )
               SELECT (SELECT count(*) FROM request) AS "count!" FROM batch"#,
            batch,
            succeeded,
            errored,
            canceled,
            expired,
            MOST_TRIES,
        );
        Ok(unnamed.fetch_optional(&self.pool).await?)
    }
}
