//! What the end of a task means for those that wait for it.

use fail::fail_point;
use hive_domain::{TaskId, event::EventKind};
use uuid::Uuid;

use crate::{error::Result, group::answered, pool::Store};

/// Rows that one pass touches at most; the rest waits for the next pass.
pub(crate) const BATCH: i64 = 1_000;

impl Store {
    /// Notes on the edges which dependencies have ended, and moves the tasks that now wait for none: on to their time,
    /// or to the end that their policy names. `Some(task)` looks only at what waits for that one.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn release_dependents(&self, parent: Option<TaskId>) -> Result<Vec<TaskId>> {
        answered(self.release_now(parent)).await
    }

    async fn release_now(&self, parent: Option<TaskId>) -> Result<Vec<TaskId>> {
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
}
