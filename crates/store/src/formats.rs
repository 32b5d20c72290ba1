//! Tasks whose journal another build wrote: left alone until one that can read it comes.

use hive_domain::{TaskId, event::EventKind, journal::NEWEST_FORMAT};

use crate::{error::Result, pool::Store};

impl Store {
    /// Makes the tasks ready that wait for a build which reads their journal, if this is one. For a worker that starts.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn wake_readable(&self) -> Result<Vec<TaskId>> {
        let ids = sqlx::query_scalar!(
            "WITH readable AS (
                 SELECT id FROM tasks
                 WHERE status = 'waiting' AND status_reason = 'journal_format'
                   AND journal_format <= $1
                 ORDER BY id FOR NO KEY UPDATE
             ), task AS (
                 UPDATE tasks
                 SET status = CASE WHEN concurrency_key IS NULL THEN 'ready'::task_status ELSE 'pending' END,
                     status_reason = CASE WHEN concurrency_key IS NOT NULL THEN 'concurrency'::status_reason END,
                     status_detail = NULL, run_at = now(), announced_at = NULL, event_seq = event_seq + 1,
                     updated_at = now()
                 FROM readable WHERE tasks.id = readable.id
                 RETURNING tasks.id, tasks.event_seq, tasks.status
             ), event AS (
                 INSERT INTO events (task_id, seq, kind)
                 SELECT id, event_seq, CASE WHEN status = 'ready' THEN $2 ELSE $3 END FROM task
             )
             SELECT id FROM task",
            NEWEST_FORMAT,
            EventKind::Ready.as_str(),
            EventKind::Waiting.as_str(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }
}
