//! Giving tasks another priority.

use hive_domain::{Priority, TaskId, event::EventKind, task::Task};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{changed::Changed, show};
use crate::{
    error::{Error, Result},
    once::Once,
};

impl Once {
    /// Gives a task that has not ended another priority. A ready one is announced anew, into the lane of the new one.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `task_ended`. The same priority again is no error and changes nothing.
    pub async fn reprioritise(&mut self, id: TaskId, priority: Priority, actor: &str) -> Result<Task> {
        let connection = self.connection()?;
        reprioritise_all(connection, &[id.uuid()], priority, actor).await?;
        let task = show(connection, id).await?;
        if task.status.is_end() {
            return Err(Error::Conflict {
                code: "task_ended",
                message: format!("the task has already ended: {}", task.status),
            });
        }
        Ok(task)
    }
}

/// Gives those of `ids` that have not ended the priority. Returns those that had another.
pub(super) async fn reprioritise_all(
    connection: &mut PgConnection,
    ids: &[Uuid],
    priority: Priority,
    actor: &str,
) -> Result<Vec<Changed>> {
    let rows = sqlx::query!(
        r#"WITH open AS (
               SELECT id FROM tasks
               WHERE id = ANY ($1) AND status NOT IN ('succeeded', 'failed', 'cancelled', 'dead') AND priority <> $2
               ORDER BY id FOR NO KEY UPDATE
           ), task AS (
               -- Without a ticket in the new lane, so that the reconciler writes one; the old one finds the task
               -- running or gone.
               UPDATE tasks SET priority = $2, announced_at = NULL, event_seq = event_seq + 1, updated_at = now()
               FROM open WHERE tasks.id = open.id
               RETURNING tasks.id, tasks.event_seq, tasks.status
           ), event AS (
               INSERT INTO events (task_id, seq, kind, data)
               SELECT id, event_seq, $4, jsonb_build_object('actor', $3::text, 'priority', $2::smallint) FROM task
           )
           SELECT id, event_seq, status::text AS "status!" FROM task ORDER BY id"#,
        ids,
        priority.get(),
        actor,
        EventKind::Reprioritised.as_str(),
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = row.status.parse().map_err(|e| Error::inconsistent("tasks", "status", row.id, e))?;
            Ok(Changed { task: row.id.into(), event_seq: row.event_seq, status })
        })
        .collect()
}
