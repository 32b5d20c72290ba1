//! Model calls that stayed open: the process that made them died, and nobody will hear of them any more.

use serde_json::json;

use super::Done;
use crate::{error::Result, pool::Store};

/// Calls that one statement closes at most.
const PORTION: i64 = 1_000;

impl Store {
    /// Closes, as `unknown`, calls whose run ended ten minutes ago or more. An answer that comes all the same is still
    /// booked by [`Store::fail_call`].
    pub(super) async fn close_calls(&self, dry_run: bool) -> Result<Done> {
        if dry_run {
            let open = sqlx::query_scalar!(
                r#"SELECT count(*) AS "open!" FROM llm_calls c JOIN tasks t ON t.id = c.task_id
                   WHERE c.state = 'intent' AND c.created_at < now() - interval '10 minutes'
                     AND (t.status <> 'running' OR t.epoch > c.epoch)"#,
            )
            .fetch_one(&self.pool)
            .await?;
            return Ok(Done { removed_rows: open, report: json!({ "open": open }), ..Done::default() });
        }
        let mut closed = 0;
        loop {
            let portion = sqlx::query!(
                "WITH over AS (
                     SELECT c.task_id, c.id FROM llm_calls c JOIN tasks t ON t.id = c.task_id
                     WHERE c.state = 'intent' AND c.created_at < now() - interval '10 minutes'
                       AND (t.status <> 'running' OR t.epoch > c.epoch)
                     ORDER BY c.task_id, c.id LIMIT $1 FOR UPDATE OF c SKIP LOCKED
                 )
                 UPDATE llm_calls c
                 SET state = 'unknown', error = 'its run ended without an answer', finished_at = now()
                 FROM over WHERE c.task_id = over.task_id AND c.id = over.id AND c.state = 'intent'",
                PORTION,
            )
            .execute(&self.pool)
            .await?
            .rows_affected() as i64;
            closed += portion;
            if portion < PORTION {
                return Ok(Done {
                    removed_rows: closed,
                    report: json!({ "closed": closed }),
                    ..Done::default()
                });
            }
        }
    }
}
