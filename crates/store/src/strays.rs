//! Claims whose answer got lost: the task is bound to a worker that does not know of it.

use chrono::{DateTime, Utc};
use hive_domain::{Priority, StatusReason, TaskId, event::EventKind};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    lease::LEASE_SECONDS,
    pool::Store,
    settle::Announcement,
};

impl Store {
    /// What this worker claimed since then and never renewed, with the epochs: runs that have just begun, and claims
    /// whose answer got lost. Which is which only the worker knows.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn claims_not_renewed(&self, worker: &str, since: DateTime<Utc>) -> Result<Vec<(TaskId, i64)>> {
        let rows = sqlx::query!(
            "SELECT id, epoch FROM tasks
             WHERE status = 'running' AND worker = $1 AND claimed_at >= $2
               AND lease_until <= claimed_at + make_interval(secs => $3)",
            worker,
            since,
            LEASE_SECONDS,
        );
        let rows = rows.fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| (row.id.into(), row.epoch)).collect())
    }

    /// Hands back what this worker claimed and never ran. It costs neither an attempt nor a death, since nothing was
    /// tried and nobody died, and the task keeps its place in line. What is no longer the worker's is left alone.
    ///
    /// # Errors
    /// When Postgres refuses; a lease that nobody renews ends by itself.
    pub async fn hand_back_strays(
        &self,
        worker: &str,
        strays: &[(TaskId, i64)],
    ) -> Result<Vec<Announcement>> {
        let (ids, epochs): (Vec<Uuid>, Vec<i64>) =
            strays.iter().map(|(id, epoch)| (id.uuid(), *epoch)).unzip();
        let rows = sqlx::query!(
            "WITH stray AS (
                 SELECT t.id FROM unnest($1::uuid[], $2::bigint[]) AS stray (id, epoch)
                 JOIN tasks t ON t.id = stray.id AND t.epoch = stray.epoch
                 WHERE (t.status = 'running') IS TRUE AND t.worker = $3 AND t.id = ANY ($1)
                 ORDER BY t.id FOR NO KEY UPDATE OF t
             ), task AS (
                 UPDATE tasks
                 SET status = 'ready', status_reason = $4::text::status_reason,
                     status_detail = format('the answer to the claim of worker %s got lost', tasks.worker),
                     attempt = greatest(attempt - 1, 0), worker = NULL, lease_until = NULL, announced_at = now(),
                     event_seq = event_seq + 1, updated_at = now()
                 FROM stray WHERE tasks.id = stray.id AND tasks.id = ANY ($1)
                 RETURNING tasks.id, tasks.epoch, tasks.priority, tasks.isolated, tasks.event_seq, tasks.status_reason,
                           tasks.status_detail
             ), event AS (
                 INSERT INTO events (task_id, seq, kind, data)
                 SELECT id, event_seq, $5, jsonb_build_object('reason', status_reason, 'detail', status_detail) FROM task
             )
             SELECT id, epoch, priority, isolated FROM task",
            &ids,
            &epochs,
            worker,
            StatusReason::Drained.as_str(),
            EventKind::Ready.as_str(),
        );
        let rows = rows.fetch_all(&self.pool).await?;
        rows.into_iter()
            .map(|row| {
                let priority = Priority::try_from(i64::from(row.priority))
                    .map_err(|e| Error::inconsistent("tasks", "priority", row.id, e))?;
                let (task, epoch, isolated) = (row.id.into(), row.epoch, row.isolated);
                Ok(Announcement { task, epoch, priority, isolated, first: false })
            })
            .collect()
    }
}
