//! Model calls that stayed open: the process that made them died, and nobody will hear of them any more.

use serde_json::json;

use super::Done;
use crate::{error::Result, pool::Store};

/// Calls that one statement closes at most.
const PORTION: i64 = 1_000;

impl Store {
    /// Closes, as `unknown`, calls that began 20 s ago or more and whose run is over. Their reservations become spent: what
    /// they cost is not known, but not more than that. An answer that comes all the same is still booked, in the place of
    /// what was assumed, by [`Store::fail_call`]. Returns how many.
    ///
    /// # Errors
    /// When Postgres refuses; what was closed so far stays.
    pub async fn close_orphaned_calls(&self) -> Result<i64> {
        Ok(self.close_calls(false).await?.removed_rows)
    }

    /// The same as an order of housekeeping; a dry run counts them.
    pub(super) async fn close_calls(&self, dry_run: bool) -> Result<Done> {
        if dry_run {
            let open = sqlx::query_scalar!(
                r#"SELECT count(*) AS "open!" FROM llm_calls c JOIN tasks t ON t.id = c.task_id
                   WHERE c.state = 'intent' AND c.created_at < now() - interval '20 seconds'
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
                     WHERE c.state = 'intent' AND c.created_at < now() - interval '20 seconds'
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
