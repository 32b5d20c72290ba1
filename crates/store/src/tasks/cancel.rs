//! Ending tasks on a person's wish, with all that belongs to them.

use hive_domain::{StatusReason, TaskId, TaskStatus, event::EventKind, task::Task};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{changed::Changed, show};
use crate::{
    error::{Error, Result},
    once::Once,
    pool::Store,
};

/// How often a tree may grow while it is being locked. What is locked gets no more children, so each round goes at least
/// one task deeper, and a tree has six levels.
const ROUNDS: usize = 8;

/// A task that was cancelled, and what ended with it.
#[derive(Clone, Debug)]
pub struct Cancelled {
    /// The task.
    pub task: Task,
    /// It and its descendants that had not ended; empty when the task had been cancelled before.
    pub changed: Vec<Changed>,
}

impl Store {
    /// Ends a task that has not ended, and all its descendants that have not. Their epochs are raised, so that a run in
    /// flight can write nothing more; its command runs until the worker is told or renews its lease.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `task_ended` when it has already ended otherwise. Cancelling twice is
    /// no error.
    pub async fn cancel(&self, id: TaskId, actor: &str) -> Result<Task> {
        let mut once = self.alone().await?;
        let cancelled = once.cancel(id, actor).await?;
        once.commit().await?;
        Ok(cancelled.task)
    }
}

impl Once {
    /// As [`Store::cancel`]; also says what else ended, so that workers and watchers can be told.
    ///
    /// # Errors
    /// See there.
    pub async fn cancel(&mut self, id: TaskId, actor: &str) -> Result<Cancelled> {
        let connection = self.connection()?;
        let changed = cancel_all(connection, &[id.uuid()], actor).await?;
        let task = show(connection, id).await?;
        let before = matches!(task.reason, Some(StatusReason::Requested | StatusReason::ParentCancelled));
        if changed.is_empty() && !before {
            return Err(Error::Conflict {
                code: "task_ended",
                message: format!("the task has already ended: {}", task.status),
            });
        }
        Ok(Cancelled { task, changed })
    }
}

/// Ends those of `roots` that have not ended, and their descendants that have not.
pub(super) async fn cancel_all(
    connection: &mut PgConnection,
    roots: &[Uuid],
    actor: &str,
) -> Result<Vec<Changed>> {
    let found = tree(connection, roots).await?;
    let mut locked = lock(connection, found).await?;
    // A child that was accepted between the look and the lock.
    for _ in 0..ROUNDS {
        let now = tree(connection, roots).await?;
        if now.len() <= locked.len() {
            break;
        }
        locked = lock(connection, now).await?;
    }
    let rows = sqlx::query!(
        r#"WITH task AS (
               UPDATE tasks
               SET status = 'cancelled',
                   status_reason = CASE WHEN id = ANY ($2) THEN 'requested'::status_reason ELSE 'parent_cancelled' END,
                   status_detail = CASE WHEN id = ANY ($2) THEN format('cancelled by %s', $3::text)
                                        ELSE format('a task that it is a part of was cancelled by %s', $3::text) END,
                   run_seconds = run_seconds + CASE WHEN status = 'running'
                                                    THEN extract(epoch FROM now() - claimed_at) ELSE 0 END,
                   epoch = epoch + 1, worker = NULL, lease_until = NULL, completed_at = now(),
                   event_seq = event_seq + 1, updated_at = now()
               WHERE id = ANY ($1) AND status NOT IN ('succeeded', 'failed', 'cancelled', 'dead')
               RETURNING id, event_seq, status_reason
           ), event AS (
               INSERT INTO events (task_id, seq, kind, data)
               SELECT id, event_seq, $4, jsonb_build_object('actor', $3::text, 'reason', status_reason) FROM task
           )
           SELECT id, event_seq FROM task ORDER BY id"#,
        &locked,
        roots,
        actor,
        EventKind::Cancelled.as_str(),
    )
    .fetch_all(connection)
    .await?;
    let changed = rows.into_iter().map(|row| Changed {
        task: row.id.into(),
        event_seq: row.event_seq,
        status: TaskStatus::Cancelled,
    });
    Ok(changed.collect())
}

/// Those of `roots` that have not ended, and everything below them. What ended is walked through: a task may outlive
/// the one that made it.
async fn tree(connection: &mut PgConnection, roots: &[Uuid]) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        r#"WITH RECURSIVE tree (id) AS (
               SELECT id FROM tasks
               WHERE id = ANY ($1) AND status NOT IN ('succeeded', 'failed', 'cancelled', 'dead')
               UNION
               SELECT t.id FROM tree JOIN tasks t ON t.parent_id = tree.id
           )
           SELECT id AS "id!" FROM tree"#,
        roots,
    );
    Ok(ids.fetch_all(connection).await?)
}

/// Locks in the order of the ids, as whoever else locks many tasks does.
async fn lock(connection: &mut PgConnection, ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    let locked =
        sqlx::query_scalar!("SELECT id FROM tasks WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", &ids,);
    Ok(locked.fetch_all(connection).await?)
}
