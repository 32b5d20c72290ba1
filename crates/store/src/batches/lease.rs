//! Which worker sends, polls and books: one of the fleet at a time.

use crate::{error::Result, pool::Store};

/// Seconds after which another worker may take over; the holder renews well before.
const HELD_SECONDS: f64 = 15.0;

impl Store {
    /// Takes the lease or renews it. False: another worker has it.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn hold_batches(&self, worker: &str) -> Result<bool> {
        let held = sqlx::query!(
            "UPDATE batch_lease SET holder = $1, held_until = now() + make_interval(secs => $2)
             WHERE holder = $1 OR holder IS NULL OR held_until < now()",
            worker,
            HELD_SECONDS,
        );
        Ok(held.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Gives the lease back, so that another worker need not wait for its end.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn leave_batches(&self, worker: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE batch_lease SET holder = NULL, held_until = '-infinity' WHERE holder = $1",
            worker
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
