//! A key that the provider refuses: nobody calls with it until a person, or one call that tries, finds it good.

use std::time::Duration;

use crate::{error::Result, pool::Store, text::storable};

impl Store {
    /// Stops a key for the whole fleet, for what a call found that was sent `sent_ago`. True: this call stopped it; false:
    /// it was stopped already, or given back since the call was sent.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn stop_key(
        &self,
        key: &str,
        reason: &str,
        detail: &str,
        probe_in: Duration,
        sent_ago: Duration,
    ) -> Result<bool> {
        let stopped = sqlx::query!(
            "WITH key AS (
                 INSERT INTO provider_keys AS k (key_id, stopped_at, reason, detail, probe_at)
                 VALUES ($1, now(), $2, $3, now() + make_interval(secs => $4))
                 ON CONFLICT (key_id) DO UPDATE
                     SET stopped_at = excluded.stopped_at, reason = excluded.reason, detail = excluded.detail,
                         probe_at = excluded.probe_at
                     WHERE k.stopped_at IS NULL
                       AND (k.resumed_at IS NULL OR k.resumed_at < now() - make_interval(secs => $5))
                 RETURNING key_id, detail
             )
             INSERT INTO provider_events (key_id, kind, detail) SELECT key_id, 'key_stopped', $2 || ': ' || detail FROM key",
            key,
            reason,
            &*storable(detail),
            probe_in.as_secs_f64(),
            sent_ago.as_secs_f64(),
        );
        Ok(stopped.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// True when nobody may call with a key.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn is_key_stopped(&self, key: &str) -> Result<bool> {
        let stopped = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM provider_keys WHERE key_id = $1 AND stopped_at IS NOT NULL) AS "stopped!""#,
            key,
        );
        Ok(stopped.fetch_one(&self.pool).await?)
    }

    /// Lets one call try a stopped key, when its time has come, and sets the time of the next try. True: this caller may.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn probe_key(&self, key: &str, next_in: Duration) -> Result<bool> {
        let taken = sqlx::query!(
            "UPDATE provider_keys SET probe_at = now() + make_interval(secs => $2)
             WHERE key_id = $1 AND stopped_at IS NOT NULL AND probe_at <= now()",
            key,
            next_in.as_secs_f64(),
        );
        Ok(taken.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// The call that was to try a stopped key was not made: another may.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn give_back_key_probe(&self, key: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE provider_keys SET probe_at = least(probe_at, now()) WHERE key_id = $1 AND stopped_at IS NOT NULL",
            key,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives a stopped key, or with `None` every one, back to the fleet. Returns those that were stopped.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn resume_keys(&self, key: Option<&str>, actor: &str) -> Result<Vec<String>> {
        let resumed = sqlx::query_scalar!(
            r#"WITH key AS (
                   UPDATE provider_keys
                   SET stopped_at = NULL, reason = NULL, detail = NULL, probe_at = NULL, resumed_at = now(), resumed_by = $2
                   WHERE stopped_at IS NOT NULL AND ($1::text IS NULL OR key_id = $1)
                   RETURNING key_id
               )
               INSERT INTO provider_events (key_id, kind, detail) SELECT key_id, 'key_resumed', 'by ' || $2 FROM key
               RETURNING key_id"#,
            key,
            actor,
        )
        .fetch_all(&self.pool)
        .await?;
        if !resumed.is_empty() {
            self.wake_provider_waits().await?;
            self.trim_provider_events().await?;
        }
        Ok(resumed)
    }

    /// Keeps the latest events.
    pub(super) async fn trim_provider_events(&self) -> Result<()> {
        sqlx::query!("DELETE FROM provider_events WHERE id <= (SELECT max(id) FROM provider_events) - 1000")
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
