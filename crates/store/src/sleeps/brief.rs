//! A run tells its agent what happened in the night: once, as an entry of its journal.

use hive_domain::{
    Lease,
    event::EventKind,
    journal::{BRIEFING_FORMAT, Briefing, Entry},
};

use crate::{
    append::NewStep,
    error::{Error, Result},
    journal::outline,
    lease::LEASE_SECONDS,
    pool::Store,
};

impl Store {
    /// Puts the briefing that waits for this agent into the journal of the task, and marks it as told, all or nothing.
    /// `None`: another run told it, or there is none. A call that is repeated because its answer was lost gives the same
    /// entry.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease is lost: nothing was written and the run must stop.
    pub async fn brief<T: Send + Sync>(&self, lease: &mut Lease<T>) -> Result<Option<Entry>> {
        let (task, epoch, seq) = (lease.task(), lease.epoch(), lease.next_seq());
        let mut tx = self.pool.begin().await?;
        let row = sqlx::query!(
            "SELECT next_seq, assigned_agent_id FROM tasks
             WHERE id = $1 AND epoch = $2 AND status = 'running' FOR NO KEY UPDATE",
            task.uuid(),
            epoch,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::Fenced { task, epoch })?;
        if row.next_seq > seq {
            // Nobody else writes under this epoch: an earlier try succeeded whose answer was lost.
            tx.rollback().await?;
            let written = self.steps(task, seq - 1, 1).await?;
            lease.advance();
            return Ok(written.into_iter().next().map(|step| step.entry));
        }
        let told = sqlx::query_scalar!(
            r#"UPDATE sleeps SET briefing_due = false, briefed_task = $2, briefed_step = $3, briefed_at = now()
               WHERE agent_id = $1 AND briefing_due RETURNING briefing AS "briefing!""#,
            row.assigned_agent_id,
            task.uuid(),
            seq,
        );
        let Some(briefing) = told.fetch_optional(&mut *tx).await? else { return Ok(None) };
        let briefing: Briefing = serde_json::from_value(briefing)
            .map_err(|e| Error::inconsistent("sleeps", "briefing", task, e))?;
        let entry = Entry::Briefing(briefing);
        let body =
            entry.body().map_err(|e| Error::inconsistent("steps", "body", format!("{task}/{seq}"), e))?;
        sqlx::query!(
            "WITH step AS (
                 INSERT INTO steps (task_id, seq, epoch, kind, body) VALUES ($1, $2, $3, $4::text::step_kind, $5::text::json)
             ), task AS (
                 UPDATE tasks
                 SET next_seq = next_seq + 1, event_seq = event_seq + 1, attempt = 1, deaths = 0,
                     journal_format = greatest(journal_format, $6), lease_until = now() + make_interval(secs => $7),
                     updated_at = now()
                 WHERE id = $1
                 RETURNING event_seq
             )
             INSERT INTO events (task_id, seq, kind, data) SELECT $1, event_seq, $8, $9 FROM task",
            task.uuid(),
            seq,
            epoch,
            entry.kind(),
            body,
            BRIEFING_FORMAT,
            LEASE_SECONDS,
            EventKind::Step.as_str(),
            outline(seq, &NewStep::plain(&entry)),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        lease.advance();
        Ok(Some(entry))
    }
}
