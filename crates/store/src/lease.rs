//! The lease: how long it holds, and how it is kept.

use std::time::Duration;

use hive_domain::TaskId;
use uuid::Uuid;

use crate::{error::Result, pool::Store};

/// How long a lease lasts without renewal, in seconds of the database's clock.
pub const LEASE_SECONDS: f64 = 8.0;
/// How often a worker renews.
pub const RENEW_EVERY: Duration = Duration::from_secs(2);

impl Store {
    /// Renews many leases in one statement; returns those that are still held. The others are lost for good. One whose
    /// row is locked is held and not renewed this time.
    ///
    /// # Errors
    /// When Postgres refuses; nothing is known then, and the leases run on until they end.
    pub async fn renew(&self, leases: &[(TaskId, i64)]) -> Result<Vec<TaskId>> {
        let (ids, epochs): (Vec<Uuid>, Vec<i64>) =
            leases.iter().map(|(id, epoch)| (id.uuid(), *epoch)).unzip();
        let held = sqlx::query_scalar!(
            "WITH held AS (
                 SELECT t.id FROM unnest($1::uuid[], $2::bigint[]) AS held (id, epoch)
                 JOIN tasks t ON t.id = held.id AND t.epoch = held.epoch
                 WHERE (t.status = 'running') IS TRUE AND t.id = ANY ($1)
                 -- A row that somebody holds, if only a step that is being written, must not cost the others their leases.
                 ORDER BY t.id FOR NO KEY UPDATE OF t SKIP LOCKED
             ), renewed AS (
                 UPDATE tasks SET lease_until = now() + make_interval(secs => $3)
                 FROM held WHERE tasks.id = held.id AND tasks.id = ANY ($1)
             )
             SELECT t.id FROM unnest($1::uuid[], $2::bigint[]) AS held (id, epoch)
             JOIN tasks t ON t.id = held.id AND t.epoch = held.epoch
             WHERE (t.status = 'running') IS TRUE AND t.id = ANY ($1)",
            &ids,
            &epochs,
            LEASE_SECONDS,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(held.into_iter().map(Into::into).collect())
    }
}
