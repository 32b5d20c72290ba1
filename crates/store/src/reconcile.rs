//! Finding again what was lost: leases of the dead, tickets that never arrived, times and dependencies that came.
//! Takes no input, changes nothing that is right, and may run in any number of schedulers at once.
//!
//! Rows are locked FOR NO KEY UPDATE: the stronger lock would also stop whoever only refers to them, such as a new task
//! that waits for one of them.

use std::time::Duration;

use fail::fail_point;
use hive_domain::{Priority, TaskId, event::EventKind};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    lease::Announcement,
    pool::Store,
};

/// Rows that one pass of each kind touches at most; the rest waits for the next pass.
const BATCH: i64 = 1_000;
/// A ready task whose ticket is older than this gets another.
const TICKET_PATIENCE: Duration = Duration::from_secs(5);

/// What one pass found.
#[derive(Clone, Debug, Default)]
pub struct Reconciled {
    /// Running tasks whose lease had ended, handed back or dead.
    pub orphaned: Vec<TaskId>,
    /// Parked tasks whose time or dependencies had come, and dependents that ended with their policy.
    pub released: Vec<TaskId>,
    /// Ready tasks that want a ticket.
    pub announce: Vec<Announcement>,
}

impl Store {
    /// One pass: expired leases, released dependents, due times, stale tickets. `room` says how many tickets the queue
    /// can take.
    ///
    /// # Errors
    /// When Postgres refuses; what was committed so far stays, the next pass does the rest.
    pub async fn reconcile(&self, room: i64) -> Result<Reconciled> {
        let orphaned = self.expire_leases().await?;
        fail_point!("reconcile::expired", |_| std::process::abort());
        let mut released = Vec::new();
        // What ended by its policy has dependents too: a failure runs down a whole chain in one pass.
        loop {
            let moved = self.release_dependents(None).await?;
            let was_last = moved.is_empty();
            released.extend(moved);
            if was_last || released.len() >= BATCH as usize {
                break;
            }
        }
        fail_point!("reconcile::released", |_| std::process::abort());
        released.extend(self.wake_due().await?);
        fail_point!("reconcile::woken", |_| std::process::abort());
        // A task whose last dependency ended and whose time had come was moved by both.
        released.sort_unstable();
        released.dedup();
        let announce = self.stale_tickets(room, TICKET_PATIENCE).await?;
        Ok(Reconciled { orphaned, released, announce })
    }

    /// Takes tasks back from workers that stopped renewing: ready again, or dead when the attempts are used up.
    async fn expire_leases(&self) -> Result<Vec<TaskId>> {
        let ids = sqlx::query_scalar!(
            "WITH expired AS (
                 SELECT id, worker FROM tasks WHERE status = 'running' AND lease_until < now()
                 ORDER BY lease_until LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
             ), task AS (
                 UPDATE tasks
                 SET status = CASE WHEN attempt >= max_attempts THEN 'dead'::task_status ELSE 'ready' END,
                     status_reason = CASE WHEN attempt >= max_attempts THEN 'attempts_exhausted'::status_reason
                                          ELSE 'orphaned' END,
                     status_detail = format('worker %s stopped renewing its lease', tasks.worker),
                     completed_at = CASE WHEN attempt >= max_attempts THEN now() END,
                     run_seconds = run_seconds + extract(epoch FROM lease_until - claimed_at),
                     worker = NULL, lease_until = NULL, announced_at = NULL, run_at = now(),
                     event_seq = event_seq + 1, updated_at = now()
                 FROM expired WHERE tasks.id = expired.id
                 RETURNING tasks.id, tasks.event_seq, tasks.status, expired.worker, tasks.attempt
             ), event AS (
                 INSERT INTO events (task_id, seq, kind, data)
                 SELECT id, event_seq, CASE WHEN status = 'dead' THEN $3 ELSE $2 END,
                        jsonb_build_object('worker', worker, 'attempt', attempt)
                 FROM task
             )
             SELECT id FROM task",
            BATCH,
            EventKind::Orphaned.as_str(),
            EventKind::Dead.as_str(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// Makes parked tasks ready whose time has come and which wait for no other task.
    async fn wake_due(&self) -> Result<Vec<TaskId>> {
        let ids = sqlx::query_scalar!(
            "WITH due AS (
                 SELECT id FROM tasks
                 WHERE status IN ('pending', 'waiting') AND run_at <= now()
                   AND status_reason <> 'dependencies'
                 ORDER BY run_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
             ), task AS (
                 UPDATE tasks
                 SET status = 'ready', status_reason = NULL, status_detail = NULL, announced_at = NULL,
                     event_seq = event_seq + 1, updated_at = now()
                 FROM due WHERE tasks.id = due.id
                 RETURNING tasks.id, tasks.event_seq
             ), event AS (
                 INSERT INTO events (task_id, seq, kind) SELECT id, event_seq, $2 FROM task
             )
             SELECT id FROM task",
            BATCH,
            EventKind::Ready.as_str(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// Notes on the edges which dependencies have ended, and moves the tasks that now wait for none: on to their time,
    /// or to the end that their policy names. `Some(task)` looks only at what waits for that one.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn release_dependents(&self, parent: Option<TaskId>) -> Result<Vec<TaskId>> {
        let mut tx = self.pool.begin().await?;
        // The children are locked first, in the order of their ids: two parents that end at the same moment look one
        // after the other, so that the second sees the edge of the first, and neither waits for the other in a circle.
        let children: Vec<Uuid> = match parent {
            Some(parent) => {
                sqlx::query_scalar!(
                    "SELECT id FROM tasks
                     WHERE id IN (SELECT d.task_id FROM task_dependencies d
                                  WHERE NOT d.resolved AND d.depends_on = $1
                                  ORDER BY d.task_id LIMIT $2)
                       AND EXISTS (SELECT 1 FROM tasks p
                                   WHERE p.id = $1 AND p.status IN ('succeeded', 'failed', 'cancelled', 'dead'))
                     ORDER BY id FOR NO KEY UPDATE",
                    parent.uuid(),
                    BATCH,
                )
                .fetch_all(&mut *tx)
                .await?
            }
            // A pass over everything waits for nobody: what is locked is being looked at, and the next pass follows.
            None => {
                sqlx::query_scalar!(
                    "SELECT id FROM tasks
                     WHERE id IN (SELECT d.task_id FROM task_dependencies d JOIN tasks p ON p.id = d.depends_on
                                  WHERE NOT d.resolved
                                    AND p.status IN ('succeeded', 'failed', 'cancelled', 'dead')
                                  LIMIT $1)
                     ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
                    BATCH,
                )
                .fetch_all(&mut *tx)
                .await?
            }
        };
        if children.is_empty() {
            return Ok(Vec::new());
        }
        sqlx::query!(
            "UPDATE task_dependencies d SET resolved = true
             FROM tasks p
             WHERE p.id = d.depends_on AND NOT d.resolved AND d.task_id = ANY ($1)
               AND p.status IN ('succeeded', 'failed', 'cancelled', 'dead')",
            &children,
        )
        .execute(&mut *tx)
        .await?;
        fail_point!("release::resolved", |_| std::process::abort());
        let ids = sqlx::query_scalar!(
            "WITH candidate AS (
                 SELECT t.id, t.on_dependency_failure AS policy,
                        EXISTS (SELECT 1 FROM task_dependencies d JOIN tasks p ON p.id = d.depends_on
                                WHERE d.task_id = t.id AND p.status IN ('failed', 'cancelled', 'dead')) AS broken,
                        EXISTS (SELECT 1 FROM task_dependencies d WHERE d.task_id = t.id AND NOT d.resolved) AS open
                 FROM tasks t
                 WHERE t.id = ANY ($1) AND t.status = 'pending' AND t.status_reason = 'dependencies'
             ), task AS (
                 UPDATE tasks
                 SET status = CASE WHEN broken AND policy = 'fail' THEN 'failed'::task_status
                                   WHEN broken AND policy = 'skip' THEN 'cancelled'
                                   ELSE 'pending' END,
                     status_reason = CASE WHEN broken AND policy = 'fail' THEN 'dependency_failed'::status_reason
                                          WHEN broken AND policy = 'skip' THEN 'dependency_skipped'
                                          ELSE 'scheduled' END,
                     completed_at = CASE WHEN broken AND policy IN ('fail', 'skip') THEN now() END,
                     event_seq = event_seq + 1, updated_at = now()
                 FROM candidate
                 WHERE tasks.id = candidate.id AND (NOT open OR (broken AND policy IN ('fail', 'skip')))
                 RETURNING tasks.id, tasks.event_seq, tasks.status, tasks.status_reason
             ), event AS (
                 INSERT INTO events (task_id, seq, kind, data)
                 SELECT id, event_seq,
                        CASE status WHEN 'failed' THEN $2 WHEN 'cancelled' THEN $3 ELSE $4 END,
                        jsonb_build_object('reason', status_reason)
                 FROM task
             )
             SELECT id FROM task",
            &children,
            EventKind::Failed.as_str(),
            EventKind::Cancelled.as_str(),
            EventKind::Waiting.as_str(),
        )
        .fetch_all(&mut *tx)
        .await?;
        fail_point!("release::moved", |_| std::process::abort());
        tx.commit().await?;
        fail_point!("release::committed", |_| std::process::abort());
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// Ready tasks whose ticket is missing or older than `patience`, most urgent first, at most `room`. Marks them as
    /// announced: the ticket follows at once, and if it is lost the next look finds them again.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn stale_tickets(&self, room: i64, patience: Duration) -> Result<Vec<Announcement>> {
        if room <= 0 {
            return Ok(Vec::new());
        }
        let rows = sqlx::query!(
            "WITH stale AS (
                 SELECT id FROM tasks
                 WHERE status = 'ready'
                   AND (announced_at IS NULL OR announced_at < now() - make_interval(secs => $2))
                 ORDER BY priority, run_at, id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
             ), task AS (
                 UPDATE tasks SET announced_at = now() FROM stale WHERE tasks.id = stale.id
                 RETURNING tasks.id, tasks.epoch, tasks.priority, tasks.run_at
             )
             SELECT id, epoch, priority FROM task ORDER BY priority, run_at, id",
            room.min(BATCH),
            patience.as_secs_f64(),
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let priority = Priority::try_from(i64::from(row.priority))
                    .map_err(|e| Error::inconsistent("tasks", "priority", row.id, e))?;
                Ok(Announcement { task: row.id.into(), epoch: row.epoch, priority })
            })
            .collect()
    }
}
