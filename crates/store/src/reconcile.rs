//! Finding again what was lost: leases of the dead, tickets that never arrived, times and dependencies that came.
//! Takes no input but the room in the lanes, changes nothing that is right, and may run in any number of schedulers at
//! once.
//!
//! Rows are locked FOR NO KEY UPDATE: the stronger lock would also stop whoever only refers to them, such as a new task
//! that waits for one of them.

use std::time::Duration;

use fail::fail_point;
use hive_domain::{DEATHS, TaskId, event::EventKind};
use tokio::time::timeout;

use crate::{
    dependents::BATCH,
    error::{Error, Result},
    pool::Store,
    settle::Announcement,
    tickets::Room,
};

/// A ready task whose ticket is older than this gets another.
const TICKET_PATIENCE: Duration = Duration::from_secs(5);
/// One that has aged goes to the head of its lane with each pass: a ticket of a moment ago may lie anywhere in it.
const AGED_PATIENCE: Duration = Duration::from_millis(500);

/// How long taking tasks back may take.
const EXPIRE_WITHIN: Duration = Duration::from_secs(2);

/// What one pass may do.
#[derive(Clone, Debug)]
pub struct Look {
    /// What each lane can take.
    pub rooms: Vec<Room>,
    /// Whether Redis takes tickets at the head of a lane, which it does of a full one as well.
    pub heads: bool,
    /// What the isolated lane can take.
    pub isolated: i64,
    /// How long a ready task may wait before it goes to the head of its lane.
    pub ageing: Duration,
}

/// What one pass found.
#[derive(Clone, Debug, Default)]
pub struct Reconciled {
    /// Running tasks whose lease had ended, handed back or dead.
    pub orphaned: Vec<TaskId>,
    /// Tasks whose deadline had passed.
    pub overdue: Vec<TaskId>,
    /// Parked tasks whose time, place or dependencies had come, and dependents that ended with their policy.
    pub released: Vec<TaskId>,
    /// Ready tasks that want a ticket.
    pub announce: Vec<Announcement>,
    /// How many of these have waited longer than a task should.
    pub aged: usize,
}

impl Store {
    /// One pass: expired leases and deadlines, released dependents, due times, free places of keys, stale tickets.
    ///
    /// # Errors
    /// When Postgres refuses; what was committed so far stays, the next pass does the rest.
    pub async fn reconcile(&self, look: &Look) -> Result<Reconciled> {
        // First, and with a bound of its own: orphans wait for it, and a connection that is no more must not hold it up.
        let orphaned =
            timeout(EXPIRE_WITHIN, self.expire_leases()).await.unwrap_or_else(|_| Err(Error::passing()))?;
        fail_point!("reconcile::expired", |_| std::process::abort());
        let overdue = self.expire_deadlines().await?;
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
        released.extend(self.wake_funded().await?);
        fail_point!("reconcile::woken", |_| std::process::abort());
        let admitted = self.admit_all().await?;
        released.extend(admitted.iter().map(|ticket| ticket.task));
        // A task whose last dependency ended and whose time had come was moved by both.
        released.sort_unstable();
        released.dedup();
        let (mut announce, mut aged) = (Vec::new(), 0);
        if look.heads {
            // First in line, full as the lanes may be.
            announce.extend(self.rated_tickets(TICKET_PATIENCE).await?);
            let old = self.aged_tickets(look.ageing, AGED_PATIENCE).await?;
            aged = old.len();
            announce.extend(old);
            if !orphaned.is_empty() {
                announce.extend(self.orphan_tickets(&orphaned).await?);
            }
        }
        announce.extend(self.stale_tickets(&look.rooms, TICKET_PATIENCE).await?);
        if look.isolated > 0 {
            announce.extend(self.isolated_tickets(look.isolated, TICKET_PATIENCE).await?);
        }
        Ok(Reconciled { orphaned, overdue, released, announce, aged })
    }

    /// Takes tasks back from workers that stopped renewing. A death costs no attempt, since it may be another task's
    /// doing; a task that is there when workers die is isolated, and dead when it kills the isolated worker as well.
    async fn expire_leases(&self) -> Result<Vec<TaskId>> {
        let ids = sqlx::query_scalar!(
            "WITH expired AS (
                 SELECT id, worker, deaths + 1 >= $4 AS suspect FROM tasks
                 WHERE status = 'running' AND lease_until < now()
                 ORDER BY lease_until LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
             ), task AS (
                 UPDATE tasks
                 SET status = CASE WHEN suspect AND isolated THEN 'dead'::task_status ELSE 'ready' END,
                     status_reason = CASE WHEN suspect AND isolated THEN 'poison'::status_reason
                                          WHEN suspect OR isolated THEN 'isolated'
                                          ELSE 'orphaned' END,
                     status_detail = format('worker %s stopped renewing its lease', tasks.worker),
                     completed_at = CASE WHEN suspect AND isolated THEN now() END,
                     attempt = greatest(attempt - 1, 0),
                     deaths = CASE WHEN suspect AND NOT isolated THEN 0 ELSE deaths + 1 END,
                     isolated = isolated OR suspect,
                     run_seconds = run_seconds + extract(epoch FROM lease_until - claimed_at),
                     -- run_at stays: it has waited since then, and goes before what came later.
                     worker = NULL, lease_until = NULL, announced_at = NULL,
                     event_seq = event_seq + 1, updated_at = now()
                 FROM expired WHERE tasks.id = expired.id
                 RETURNING tasks.id, tasks.event_seq, tasks.status, tasks.status_reason, expired.worker, tasks.deaths
             ), event AS (
                 INSERT INTO events (task_id, seq, kind, data)
                 SELECT id, event_seq, CASE WHEN status = 'dead' THEN $3 ELSE $2 END,
                        jsonb_build_object('worker', worker, 'deaths', deaths, 'reason', status_reason)
                 FROM task
             )
             SELECT id FROM task",
            BATCH,
            EventKind::Orphaned.as_str(),
            EventKind::Dead.as_str(),
            DEATHS,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// Fails tasks that have not ended by their deadline. One that runs loses its lease.
    async fn expire_deadlines(&self) -> Result<Vec<TaskId>> {
        let ids = sqlx::query_scalar!(
            "WITH late AS (
                 SELECT id FROM tasks
                 WHERE deadline IS NOT NULL AND deadline < now()
                   AND status NOT IN ('succeeded', 'failed', 'cancelled', 'dead')
                 ORDER BY deadline LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
             ), task AS (
                 UPDATE tasks
                 SET status = 'failed', status_reason = 'deadline',
                     status_detail = format('it had not ended by %s',
                                            to_char(deadline AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')),
                     run_seconds = run_seconds
                         + CASE WHEN status = 'running' THEN extract(epoch FROM now() - claimed_at) ELSE 0 END,
                     epoch = epoch + 1, worker = NULL, lease_until = NULL, completed_at = now(),
                     event_seq = event_seq + 1, updated_at = now()
                 FROM late WHERE tasks.id = late.id
                 RETURNING tasks.id, tasks.event_seq, tasks.status_reason, tasks.status_detail
             ), event AS (
                 INSERT INTO events (task_id, seq, kind, data)
                 SELECT id, event_seq, $2, jsonb_build_object('reason', status_reason, 'detail', status_detail)
                 FROM task
             )
             SELECT id FROM task",
            BATCH,
            EventKind::Failed.as_str(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// Makes parked tasks ready whose time has come and which wait for nothing else. One with a concurrency key passes
    /// the gate of its key first.
    async fn wake_due(&self) -> Result<Vec<TaskId>> {
        let ids = sqlx::query_scalar!(
            "WITH due AS (
                 SELECT id FROM tasks
                 WHERE status IN ('pending', 'waiting') AND run_at <= now()
                   AND status_reason NOT IN ('dependencies', 'concurrency', 'outcome_unknown', 'journal_format')
                 ORDER BY run_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
             ), task AS (
                 UPDATE tasks
                 SET status = CASE WHEN concurrency_key IS NULL THEN 'ready'::task_status ELSE 'pending' END,
                     status_reason = CASE WHEN concurrency_key IS NULL THEN NULL
                                          ELSE 'concurrency'::status_reason END,
                     status_detail = NULL, announced_at = NULL, event_seq = event_seq + 1, updated_at = now()
                 FROM due WHERE tasks.id = due.id
                 RETURNING tasks.id, tasks.event_seq, tasks.status
             ), event AS (
                 INSERT INTO events (task_id, seq, kind)
                 SELECT id, event_seq, CASE WHEN status = 'ready' THEN $2 ELSE $3 END FROM task
             )
             SELECT id FROM task",
            BATCH,
            EventKind::Ready.as_str(),
            EventKind::Waiting.as_str(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }
}
