//! What the fleet knows of its keys and models at the provider: stopped keys, holds, breakers. The truth of it lies here;
//! Redis holds what is asked before each call.

mod breaker;
mod key;
mod models;

use std::time::Duration;

use chrono::{DateTime, Utc};
use hive_domain::StatusReason;
use uuid::Uuid;

use crate::{error::Result, lease::LEASE_SECONDS, pool::Store};

/// A key of the fleet that somebody stopped.
#[derive(Clone, Debug)]
pub struct StoppedKey {
    /// The first digits of its SHA-256.
    pub key: String,
    /// Since when.
    pub stopped_at: DateTime<Utc>,
    /// `authentication`, `permission`, `billing` or `spend_limit`.
    pub reason: String,
    /// What the provider said.
    pub detail: String,
    /// When one call tries it again.
    pub probe_at: DateTime<Utc>,
    /// How far that lies ahead, by the database's clock; zero when it has come.
    pub probe_in: Duration,
}

/// What stands between the fleet and one model.
#[derive(Clone, Debug)]
pub struct ModelState {
    /// The first digits of the key's SHA-256.
    pub key: String,
    /// The model.
    pub model: String,
    /// No call before.
    pub hold_until: Option<DateTime<Utc>>,
    /// How far that lies ahead, by the database's clock; zero when it has passed.
    pub held_for: Duration,
    /// The breaker, when it is open.
    pub open: Option<OpenBreaker>,
    /// A minute's requests, input and output tokens, as the provider named them; 0 where it did not.
    pub limits: [u64; 3],
    /// The provider refused for its rate without naming a time, and has not answered since.
    pub is_limited_unnamed: bool,
}

/// An open breaker.
#[derive(Clone, Debug)]
pub struct OpenBreaker {
    /// Since when.
    pub opened_at: DateTime<Utc>,
    /// The failure that opened it.
    pub detail: String,
    /// When one call may try.
    pub probe_at: DateTime<Utc>,
    /// How far that lies ahead, the end of a try under way included.
    pub probe_in: Duration,
    /// A call tries at this moment.
    pub probing: bool,
}

/// One moment of it.
#[derive(Clone, Debug, Default)]
pub struct ProviderState {
    /// Keys that nobody calls with.
    pub stopped: Vec<StoppedKey>,
    /// Models of which something is known.
    pub models: Vec<ModelState>,
    /// Ordinary workers that live.
    pub workers: u64,
}

/// What happened.
#[derive(Clone, Debug)]
pub struct ProviderEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// The first digits of the key's SHA-256.
    pub key: String,
    /// The model; empty for the whole key.
    pub model: String,
    /// `breaker_opened`, `breaker_closed`, `key_stopped`, `key_resumed` or `hold_lifted`.
    pub kind: String,
    /// Why.
    pub detail: String,
}

/// Events that are shown.
const SHOWN: i64 = 50;

impl Store {
    /// What holds for a key, or for all of them.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn provider(&self, key: Option<&str>) -> Result<ProviderState> {
        let stopped = sqlx::query!(
            r#"SELECT key_id, stopped_at AS "stopped_at!", reason AS "reason!", detail, probe_at AS "probe_at!",
                      extract(epoch FROM probe_at - now())::float8 AS "probe_in!"
               FROM provider_keys WHERE stopped_at IS NOT NULL AND ($1::text IS NULL OR key_id = $1)
               ORDER BY key_id"#,
            key,
        )
        .fetch_all(&self.pool)
        .await?;
        let models = sqlx::query!(
            r#"SELECT key_id, model, hold_until, opened_at, detail, probe_at, requests, input_tokens, output_tokens,
                      extract(epoch FROM hold_until - now())::float8 AS held_for,
                      extract(epoch FROM greatest(probe_at, probe_until) - now())::float8 AS probe_in,
                      coalesce(probe_until > now(), false) AS "probing!", unnamed_limits > 0 AS "is_limited_unnamed!"
               FROM provider_models WHERE $1::text IS NULL OR key_id = $1 ORDER BY key_id, model"#,
            key,
        )
        .fetch_all(&self.pool)
        .await?;
        let workers = sqlx::query_scalar!(
            r#"SELECT count(*) AS "workers!" FROM workers
               WHERE seen_at > now() - make_interval(secs => $1) AND NOT isolated"#,
            LEASE_SECONDS,
        )
        .fetch_one(&self.pool)
        .await?;
        let count = |limit: Option<i64>| limit.and_then(|limit| u64::try_from(limit).ok()).unwrap_or(0);
        let stopped = stopped.into_iter().map(|row| StoppedKey {
            key: row.key_id,
            stopped_at: row.stopped_at,
            reason: row.reason,
            detail: row.detail.unwrap_or_default(),
            probe_at: row.probe_at,
            probe_in: ahead(Some(row.probe_in)),
        });
        let models = models.into_iter().map(|row| ModelState {
            key: row.key_id,
            model: row.model,
            hold_until: row.hold_until,
            held_for: ahead(row.held_for),
            open: row.opened_at.zip(row.probe_at).map(|(opened_at, probe_at)| OpenBreaker {
                opened_at,
                detail: row.detail.unwrap_or_default(),
                probe_at,
                probe_in: ahead(row.probe_in),
                probing: row.probing,
            }),
            limits: [count(row.requests), count(row.input_tokens), count(row.output_tokens)],
            is_limited_unnamed: row.is_limited_unnamed,
        });
        Ok(ProviderState {
            stopped: stopped.collect(),
            models: models.collect(),
            workers: u64::try_from(workers).unwrap_or(0),
        })
    }

    /// What happened lately, the newest first.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn provider_events(&self) -> Result<Vec<ProviderEvent>> {
        let events = sqlx::query_as!(
            ProviderEvent,
            "SELECT created_at AS at, key_id AS key, model, kind, detail FROM provider_events ORDER BY id DESC LIMIT $1",
            SHOWN,
        );
        Ok(events.fetch_all(&self.pool).await?)
    }

    /// Lets tasks that wait for the provider come back within the next seconds instead of at their time. Not all at once:
    /// what has just recovered would fall again. Returns how many.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn wake_provider_waits(&self) -> Result<u64> {
        self.wake_waits(StatusReason::ProviderUnavailable).await
    }

    /// The same for tasks that wait for `reason`.
    async fn wake_waits(&self, reason: StatusReason) -> Result<u64> {
        /// The longest that one of them still waits.
        const SPREAD_SECONDS: f64 = 3.0;
        let woken = sqlx::query!(
            "WITH parked AS (
                 SELECT id FROM tasks
                 WHERE status = 'waiting' AND status_reason = $2::text::status_reason AND run_at > now()
                 ORDER BY id FOR NO KEY UPDATE
             )
             UPDATE tasks SET run_at = least(run_at, now() + make_interval(secs => random() * $1)), updated_at = now()
             FROM parked WHERE tasks.id = parked.id",
            SPREAD_SECONDS,
            reason.as_str(),
        );
        Ok(woken.execute(&self.pool).await?.rows_affected())
    }
}

fn ahead(seconds: Option<f64>) -> Duration {
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default()
}

/// A call that tries whether the provider is back.
pub type Probe = Uuid;
