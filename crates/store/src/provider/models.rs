//! What the provider said about a model: when to come back, and how much of it there is.

use std::time::Duration;

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
