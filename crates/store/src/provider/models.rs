//! What the provider said about a model: when to come back, and how much of it there is.

use std::time::Duration;

use hive_domain::StatusReason;

use crate::{error::Result, pool::Store};

impl Store {
    /// No worker calls the model before this time has passed; a longer hold stands.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn hold_model(&self, key: &str, model: &str, wait: Duration) -> Result<()> {
        sqlx::query!(
            "INSERT INTO provider_models AS m (key_id, model, hold_until)
             VALUES ($1, $2, now() + make_interval(secs => $3))
             ON CONFLICT (key_id, model) DO UPDATE SET hold_until = greatest(m.hold_until, excluded.hold_until)",
            key,
            model,
            wait.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The provider refuses a model for its rate and names no time: no worker calls it for `shortest`, or twice as long
    /// after each such refusal since the last answer, up to `longest`. Returns for how long; `None` while a hold stands,
    /// since what was sent before it says nothing new.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn hold_model_unnamed(
        &self,
        key: &str,
        model: &str,
        shortest: Duration,
        longest: Duration,
    ) -> Result<Option<Duration>> {
        let held = sqlx::query_scalar!(
            r#"INSERT INTO provider_models AS m (key_id, model, hold_until, unnamed_limits)
               VALUES ($1, $2, now() + make_interval(secs => least($3::float8, $4::float8)), 1)
               ON CONFLICT (key_id, model) DO UPDATE
                   SET hold_until = now() + make_interval(secs => least($3 * power(2, least(m.unnamed_limits, 20)), $4)),
                       unnamed_limits = m.unnamed_limits + 1
                   WHERE m.hold_until IS NULL OR m.hold_until <= now()
               RETURNING extract(epoch FROM hold_until - now())::float8 AS "held!""#,
            key,
            model,
            shortest.as_secs_f64(),
            longest.as_secs_f64(),
        );
        Ok(held.fetch_optional(&self.pool).await?.map(|held| super::ahead(Some(held))))
    }

    /// The provider answered for a model again: the next refusal without a time is the first one.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn forget_unnamed_limits(&self, key: &str, model: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE provider_models SET unnamed_limits = 0
             WHERE key_id = $1 AND model = $2 AND unnamed_limits > 0",
            key,
            model,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ends the holds of a key's models, or with `None` those of every key, before their time, and wakes what waited for
    /// them. Returns keys and models.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn lift_holds(&self, key: Option<&str>, actor: &str) -> Result<Vec<(String, String)>> {
        let lifted = sqlx::query!(
            r#"WITH held AS (
                   SELECT key_id, model FROM provider_models
                   WHERE hold_until > now() AND ($1::text IS NULL OR key_id = $1)
                   ORDER BY key_id, model FOR NO KEY UPDATE
               ), lifted AS (
                   UPDATE provider_models m SET hold_until = NULL, unnamed_limits = 0
                   FROM held WHERE m.key_id = held.key_id AND m.model = held.model
                   RETURNING m.key_id, m.model
               )
               INSERT INTO provider_events (key_id, model, kind, detail)
               SELECT key_id, model, 'hold_lifted', 'by ' || $2 FROM lifted ORDER BY key_id, model
               RETURNING key_id, model"#,
            key,
            actor,
        );
        let lifted = lifted.fetch_all(&self.pool).await?;
        if !lifted.is_empty() {
            self.wake_waits(StatusReason::RateLimited).await?;
            self.trim_provider_events().await?;
        }
        Ok(lifted.into_iter().map(|row| (row.key_id, row.model)).collect())
    }

    /// Closes the breakers of a key's models, or with `None` those of every key, on a person's word, and wakes what waited
    /// for them. Returns keys and models.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn close_breakers(&self, key: Option<&str>, actor: &str) -> Result<Vec<(String, String)>> {
        let closed = sqlx::query!(
            r#"WITH open AS (
                   SELECT key_id, model FROM provider_models
                   WHERE opened_at IS NOT NULL AND ($1::text IS NULL OR key_id = $1)
                   ORDER BY key_id, model FOR NO KEY UPDATE
               ), closed AS (
                   UPDATE provider_models m
                   SET opened_at = NULL, detail = NULL, probe_at = NULL, probe = NULL, probe_until = NULL,
                       failed_probes = 0
                   FROM open WHERE m.key_id = open.key_id AND m.model = open.model
                   RETURNING m.key_id, m.model
               )
               INSERT INTO provider_events (key_id, model, kind, detail)
               SELECT key_id, model, 'breaker_closed', 'by ' || $2 FROM closed ORDER BY key_id, model
               RETURNING key_id, model"#,
            key,
            actor,
        );
        let closed = closed.fetch_all(&self.pool).await?;
        if !closed.is_empty() {
            self.wake_provider_waits().await?;
            self.trim_provider_events().await?;
        }
        Ok(closed.into_iter().map(|row| (row.key_id, row.model)).collect())
    }

    /// How long no call may be made yet, asked for itself: for a worker that cannot ask Redis.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn held_for(&self, key: &str, model: &str) -> Result<Duration> {
        let held = sqlx::query_scalar!(
            r#"SELECT extract(epoch FROM hold_until - now())::float8 AS "held!" FROM provider_models
               WHERE key_id = $1 AND model = $2 AND hold_until > now()"#,
            key,
            model,
        );
        Ok(super::ahead(held.fetch_optional(&self.pool).await?))
    }

    /// Keeps a minute's requests, input and output tokens as the provider's headers name them, for workers without
    /// Redis; 0 leaves what is known.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn learn_limits(&self, key: &str, model: &str, limits: [u64; 3]) -> Result<()> {
        let [requests, input, output] =
            limits.map(|limit| i64::try_from(limit).ok().filter(|limit| *limit > 0));
        sqlx::query!(
            "INSERT INTO provider_models AS m (key_id, model, requests, input_tokens, output_tokens)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (key_id, model) DO UPDATE
                 SET requests = coalesce(excluded.requests, m.requests),
                     input_tokens = coalesce(excluded.input_tokens, m.input_tokens),
                     output_tokens = coalesce(excluded.output_tokens, m.output_tokens)",
            key,
            model,
            requests,
            input,
            output,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
