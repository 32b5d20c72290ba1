//! What a person says about a call whose outcome nobody here knows.

use hive_domain::{
    TaskId,
    event::EventKind,
    journal::{Entry, ExternalOutcome, Intent},
    task::Task,
};
use serde_json::json;

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// What came of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It took place; the model reads this as its result.
    Done(String),
    /// It did not take place: it is made again.
    NotDone,
}

impl Store {
    /// Writes a person's answer into the journal and makes the task ready, in one transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `no_outcome_asked` when the task waits for no such answer.
    pub async fn decide_outcome(&self, id: TaskId, decision: &Decision, actor: &str) -> Result<Task> {
        let mut tx = self.pool.begin().await?;
        let asked = sqlx::query!(
            r#"SELECT t.next_seq, t.epoch,
                      (SELECT s.body::text FROM steps s WHERE s.task_id = t.id AND s.kind = 'intent'
                       ORDER BY s.seq DESC LIMIT 1) AS intent
               FROM tasks t WHERE t.id = $1 AND t.status = 'waiting' AND t.status_reason = 'outcome_unknown'
               FOR NO KEY UPDATE"#,
            id.uuid(),
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some((row, intent)) = asked.and_then(|row| row.intent.clone().map(|intent| (row, intent))) else {
            // Its connection goes back first: many who are refused at once must not wait for each other's second one.
            tx.rollback().await?;
            let task = self.task(id).await?;
            return Err(Error::Conflict {
                code: "no_outcome_asked",
                message: format!("a task that is {} does not wait for an outcome", task.status),
            });
        };
        let seq = row.next_seq;
        let bad = |e: serde_json::Error| Error::inconsistent("steps", "body", format!("{id}/{seq}"), e);
        let Intent { tool_use_id, tool } = serde_json::from_str(&intent).map_err(bad)?;
        let (took_place, content) = match decision {
            Decision::Done(text) => (true, text.clone()),
            Decision::NotDone => (false, String::new()),
        };
        let data = json!({ "seq": seq, "actor": actor, "tool": tool, "took_place": took_place });
        let decided_by = Some(actor.to_owned());
        let outcome = ExternalOutcome { tool_use_id, tool, took_place, content, is_error: false, decided_by };
        let body = Entry::Outcome(outcome).body().map_err(bad)?;
        sqlx::query!(
            "WITH step AS (
                 INSERT INTO steps (task_id, seq, epoch, kind, body) VALUES ($1, $2, $3, 'outcome'::step_kind, $4::text::json)
             ), task AS (
                 UPDATE tasks
                 SET status = CASE WHEN concurrency_key IS NULL THEN 'ready'::task_status ELSE 'pending' END,
                     -- One with a concurrency key passes the gate of its key again.
                     status_reason = CASE WHEN concurrency_key IS NOT NULL THEN 'concurrency'::status_reason END,
                     status_detail = NULL, next_seq = next_seq + 1, run_at = now(),
                     announced_at = CASE WHEN concurrency_key IS NULL THEN now() END, event_seq = event_seq + 1, updated_at = now()
                 WHERE id = $1
                 RETURNING event_seq
             )
             INSERT INTO events (task_id, seq, kind, data) SELECT $1, event_seq, $5, $6 FROM task",
            id.uuid(),
            seq,
            row.epoch,
            body,
            EventKind::OutcomeDecided.as_str(),
            data,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.task(id).await
    }
}
