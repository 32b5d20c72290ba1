//! Beginning a new segment of a task's conversation.

use hive_domain::{
    Lease,
    event::EventKind,
    journal::{Compacted, Entry, SEGMENT_FORMAT},
};
use uuid::Uuid;

use crate::{
    append::{Edge, NewStep},
    error::{Error, Result},
    journal::outline,
    lease::LEASE_SECONDS,
    pool::Store,
    text::{storable, storable_json},
};

impl Store {
    /// Writes the entry that begins a segment: with it the outcome of the call that brought its summary, the totals, the
    /// extended lease and the event, all or nothing. From here on builds that know no segments leave the task alone.
    /// Offered again because the answer was lost, it is written once.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease is lost: nothing was written and the run must stop.
    pub async fn begin_segment<T: Sync>(
        &self,
        lease: &mut Lease<T>,
        compacted: &Compacted,
        call: Option<Uuid>,
    ) -> Result<Edge> {
        let (task, epoch, seq) = (lease.task(), lease.epoch(), lease.next_seq());
        let entry = Entry::Compacted(Box::new(compacted.clone()));
        let body = entry.body();
        let body = body.map_err(|e| Error::inconsistent("steps", "body", format!("{task}/{seq}"), e))?;
        let (usage, request_id) = (&compacted.usage, compacted.request_id.as_deref().map(storable));
        let written = sqlx::query!(
            r#"WITH task AS (
                   UPDATE tasks t
                   SET next_seq = t.next_seq + 1, event_seq = t.event_seq + 1, attempt = 1, deaths = 0,
                       journal_format = greatest(t.journal_format, $6),
                       lease_until = now() + make_interval(secs => $7),
                       input_tokens = t.input_tokens + $8, output_tokens = t.output_tokens + $9,
                       cache_read_tokens = t.cache_read_tokens + $10,
                       cache_write_tokens = t.cache_write_tokens + $11,
                       cost_nano_usd = t.cost_nano_usd + $12, updated_at = now()
                   WHERE t.id = $1 AND t.epoch = $2 AND t.next_seq = $3 AND (t.status = 'running') IS TRUE
                   RETURNING t.id, t.event_seq, t.priority, t.assigned_agent_id, t.session_id,
                             t.messages_read < t.messages_sent OR t.mail > 0 AS unread
               ), step AS (
                   INSERT INTO steps (task_id, seq, epoch, kind, body)
                   SELECT id, $3, $2, $4::text::step_kind, $5::text::json FROM task
               ), event AS (
                   INSERT INTO events (task_id, seq, kind, data) SELECT id, event_seq, $13, $14 FROM task
               ), call AS (
                   UPDATE llm_calls c
                   SET state = 'answered', request_id = $16, input_tokens = $8, output_tokens = $9,
                       cache_read_tokens = $10, cache_write_tokens = $11, cost_nano_usd = $12,
                       cache_write_1h_tokens = $17, finished_at = now()
                   FROM task WHERE c.task_id = $1 AND c.id = $15 AND c.state = 'intent'
               )
               SELECT task.unread AS "unread!",
                      covers(p.fleet, p.lanes, p.agents, p.sessions, priority, assigned_agent_id, session_id) AS "halted!"
               FROM task CROSS JOIN halting_pauses p"#,
            task.uuid(),
            epoch,
            seq,
            entry.kind(),
            body,
            SEGMENT_FORMAT,
            LEASE_SECONDS,
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            usage.cost.0,
            EventKind::Step.as_str(),
            storable_json(outline(seq, &NewStep::plain(&entry))),
            call,
            request_id.as_deref(),
            usage.cache_write_1h_tokens,
        );
        let edge = match written.fetch_optional(&self.pool).await? {
            Some(row) => Edge { halted: row.halted, unread: row.unread, begun: false },
            None => self.begun_before(lease).await?,
        };
        lease.advance();
        Ok(edge)
    }

    /// The edge after the segment that this run began as its next step: an earlier try succeeded whose answer was lost.
    async fn begun_before<T: Sync>(&self, lease: &Lease<T>) -> Result<Edge> {
        let (task, epoch, seq) = (lease.task(), lease.epoch(), lease.next_seq());
        let row = sqlx::query!(
            r#"SELECT t.messages_read < t.messages_sent OR t.mail > 0 AS "unread!",
                      covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id, t.session_id)
                          AS "halted!"
               FROM tasks t CROSS JOIN halting_pauses p
               JOIN steps s ON s.task_id = $1 AND s.seq = $3 AND s.epoch = $2 AND s.kind = 'compacted'
               WHERE t.id = $1 AND t.epoch = $2 AND t.status = 'running' AND t.next_seq = $3 + 1"#,
            task.uuid(),
            epoch,
            seq,
        );
        let row = row.fetch_optional(&self.pool).await?.ok_or(Error::Fenced { task, epoch })?;
        Ok(Edge { halted: row.halted, unread: row.unread, begun: false })
    }
}
