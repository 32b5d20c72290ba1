//! The breaker of a model, one for the fleet: open, tried by one call at a time, closed by the first answer to a call that
//! was sent since it opened.

use std::time::Duration;

use super::Probe;
use crate::{error::Result, pool::Store, text::storable};

/// How often the pause before the next try doubles.
const DOUBLINGS: i32 = 2;

impl Store {
    /// Opens the breaker of a model. True: this call opened it; false: it was open.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn open_breaker(
        &self,
        key: &str,
        model: &str,
        detail: &str,
        probe_in: Duration,
    ) -> Result<bool> {
        let opened = sqlx::query!(
            "WITH model AS (
                 INSERT INTO provider_models AS m (key_id, model, opened_at, detail, probe_at)
                 VALUES ($1, $2, now(), $3, now() + make_interval(secs => $4))
                 ON CONFLICT (key_id, model) DO UPDATE
                     SET opened_at = excluded.opened_at, detail = excluded.detail, probe_at = excluded.probe_at,
                         failed_probes = 0, probe = NULL, probe_until = NULL
                     WHERE m.opened_at IS NULL
                 RETURNING key_id, model, detail
             )
             INSERT INTO provider_events (key_id, model, kind, detail)
             SELECT key_id, model, 'breaker_opened', detail FROM model",
            key,
            model,
            &*storable(detail),
            probe_in.as_secs_f64(),
        );
        Ok(opened.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Makes a call the one that tries whether the model is back. False: another tries, or it is not time yet, or the
    /// breaker is closed. A call that is not heard of within `within` is forgotten.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn take_probe(&self, key: &str, model: &str, probe: Probe, within: Duration) -> Result<bool> {
        let taken = sqlx::query!(
            "UPDATE provider_models SET probe = $3, probe_until = now() + make_interval(secs => $4)
             WHERE key_id = $1 AND model = $2 AND opened_at IS NOT NULL AND probe_at <= now()
               AND (probe_until IS NULL OR probe_until <= now())",
            key,
            model,
            probe,
            within.as_secs_f64(),
        );
        Ok(taken.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Closes the breaker: a call was answered that tries, or that was sent `sent_ago` and so after the breaker opened. It
    /// need not be the one that tries by now: a call may take longer than a try is waited for. What waited is woken. False:
    /// the breaker is closed, or opened after the call was sent.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn close_breaker(
        &self,
        key: &str,
        model: &str,
        probe: Option<Probe>,
        sent_ago: Duration,
    ) -> Result<bool> {
        let closed = sqlx::query!(
            "WITH model AS (
                 UPDATE provider_models
                 SET opened_at = NULL, detail = NULL, probe_at = NULL, probe = NULL, probe_until = NULL,
                     failed_probes = 0
                 WHERE key_id = $1 AND model = $2 AND opened_at IS NOT NULL
                   AND (probe = $3 OR opened_at < now() - make_interval(secs => $4))
                 RETURNING key_id, model
             )
             INSERT INTO provider_events (key_id, model, kind) SELECT key_id, model, 'breaker_closed' FROM model",
            key,
            model,
            probe,
            sent_ago.as_secs_f64(),
        );
        let is_closed = closed.execute(&self.pool).await?.rows_affected() == 1;
        if is_closed {
            self.wake_provider_waits().await?;
            self.trim_provider_events().await?;
        }
        Ok(is_closed)
    }

    /// The call that tried failed, or with a pause of zero was never made: the next may try after `pause`, twice as long
    /// after each failure up to four times.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn end_probe(&self, key: &str, model: &str, probe: Probe, pause: Duration) -> Result<()> {
        sqlx::query!(
            "UPDATE provider_models
             SET probe = NULL, probe_until = NULL,
                 failed_probes = failed_probes + CASE WHEN $4::float8 > 0 THEN 1 ELSE 0 END,
                 probe_at = now() + make_interval(secs => $4 * power(2, least(failed_probes, $5)))
             WHERE key_id = $1 AND model = $2 AND probe = $3",
            key,
            model,
            probe,
            pause.as_secs_f64(),
            DOUBLINGS,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
