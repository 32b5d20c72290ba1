//! Reading and writing the journal.

use chrono::{DateTime, Utc};
use hive_domain::{Lease, TaskId, Usage, event::EventKind, journal::Entry};
use serde_json::json;
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    lease::LEASE_SECONDS,
    pool::Store,
    text::{storable, storable_json},
};

/// A stored step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its number in the task, from 1 without gaps.
    pub seq: i32,
    /// The run that wrote it.
    pub epoch: i64,
    /// Its content.
    pub entry: Entry,
    /// The workspace after it, when it changed.
    pub commit: Option<String>,
    /// The sandbox level its commands ran under.
    pub sandbox: Option<String>,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

/// A step to be written.
#[derive(Clone, Debug)]
pub struct NewStep<'a> {
    /// Its content.
    pub entry: &'a Entry,
    /// The call it answers, when it is a reply.
    pub call: Option<Uuid>,
    /// The workspace after it, when it changed.
    pub commit: Option<&'a str>,
    /// The sandbox level its commands ran under.
    pub sandbox: Option<&'a str>,
}

impl<'a> NewStep<'a> {
    /// A step without call, commit or commands.
    #[must_use]
    pub const fn plain(entry: &'a Entry) -> Self {
        Self { entry, call: None, commit: None, sandbox: None }
    }
}

struct Row {
    seq: i32,
    epoch: i64,
    kind: String,
    body: String,
    commit_hash: Option<String>,
    sandbox: Option<String>,
    created_at: DateTime<Utc>,
}

impl Store {
    /// Steps of `task` after number `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses, or a stored step cannot be read.
    pub async fn steps(&self, task: TaskId, after: i32, limit: i64) -> Result<Vec<Step>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT seq, epoch, kind::text AS "kind!", body::text AS "body!", commit_hash, sandbox, created_at
               FROM steps WHERE task_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"#,
            task.uuid(),
            after,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let step = |row: Row| {
            let entry = Entry::from_stored(&row.kind, &row.body)
                .map_err(|e| Error::inconsistent("steps", "body", format!("{task}/{}", row.seq), e))?;
            let Row { seq, epoch, commit_hash: commit, sandbox, created_at: at, .. } = row;
            Ok(Step { seq, epoch, entry, commit, sandbox, at })
        };
        rows.into_iter().map(step).collect()
    }

    /// Writes the next step: the entry, the outcome of its call, the totals, the extended lease and the event, all or
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease is lost: nothing was written and the run must stop.
    pub async fn append<T: Sync>(&self, lease: &mut Lease<T>, step: &NewStep<'_>) -> Result<()> {
        let (task, epoch, seq) = (lease.task(), lease.epoch(), lease.next_seq());
        let body = step
            .entry
            .body()
            .map_err(|e| Error::inconsistent("steps", "body", format!("{task}/{seq}"), e))?;
        let (usage, request_id) = match step.entry {
            Entry::Reply(reply) => (reply.usage, reply.request_id.as_deref().map(storable)),
            _ => (Usage::default(), None),
        };
        let written = sqlx::query!(
            "WITH task AS (
                 UPDATE tasks
                 SET next_seq = next_seq + 1, event_seq = event_seq + 1, attempt = 1,
                     lease_until = now() + make_interval(secs => $4),
                     input_tokens = input_tokens + $5, output_tokens = output_tokens + $6,
                     cache_read_tokens = cache_read_tokens + $7, cache_write_tokens = cache_write_tokens + $8,
                     cost_nano_usd = cost_nano_usd + $9, updated_at = now()
                 WHERE id = $1 AND epoch = $2 AND status = 'running' AND next_seq = $3
                 RETURNING id, event_seq
             ), step AS (
                 INSERT INTO steps (task_id, seq, epoch, kind, body, commit_hash, sandbox)
                 SELECT id, $3, $2, $10::text::step_kind, $11::text::json, $12, $13 FROM task
             ), call AS (
                 UPDATE llm_calls
                 SET state = 'answered', request_id = $14, input_tokens = $5, output_tokens = $6,
                     cache_read_tokens = $7, cache_write_tokens = $8, cost_nano_usd = $9, finished_at = now()
                 FROM task WHERE llm_calls.id = $15 AND llm_calls.task_id = task.id AND llm_calls.state = 'intent'
             )
             INSERT INTO events (task_id, seq, kind, data) SELECT id, event_seq, $16, $17 FROM task",
            task.uuid(),
            epoch,
            seq,
            LEASE_SECONDS,
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            usage.cost.0,
            step.entry.kind(),
            body,
            step.commit,
            step.sandbox,
            request_id.as_deref(),
            step.call,
            EventKind::Step.as_str(),
            storable_json(outline(seq, step)),
        )
        .execute(&self.pool)
        .await?;
        if written.rows_affected() == 0 && !self.is_ours(task, epoch, seq).await? {
            return Err(Error::Fenced { task, epoch });
        }
        lease.advance();
        Ok(())
    }

    /// True when this very step was committed by this run: an earlier try succeeded whose answer was lost.
    async fn is_ours(&self, task: TaskId, epoch: i64, seq: i32) -> Result<bool> {
        let ours = sqlx::query_scalar!(
            r#"SELECT EXISTS (
                   SELECT 1 FROM steps s JOIN tasks t ON t.id = s.task_id
                   WHERE s.task_id = $1 AND s.seq = $2 AND s.epoch = $3 AND t.epoch = $3 AND t.status = 'running'
                     AND t.next_seq = $2 + 1) AS "ours!""#,
            task.uuid(),
            seq,
            epoch,
        );
        Ok(ours.fetch_one(&self.pool).await?)
    }
}

/// What a watcher needs to show a step without reading it.
pub(crate) fn outline(seq: i32, step: &NewStep<'_>) -> serde_json::Value {
    let mut data = json!({ "seq": seq, "kind": step.entry.kind() });
    let more = match step.entry {
        Entry::Reply(reply) => {
            let calls: Vec<String> = reply.calls().into_iter().map(|call| call.name).collect();
            let text: String = reply.text().chars().take(200).collect();
            json!({ "tools": calls, "text": text, "usage": reply.usage })
        }
        Entry::ToolResults(results) => {
            let results = results.results.iter();
            let short =
                |text: &str| text.lines().next().unwrap_or_default().chars().take(120).collect::<String>();
            let shown =
                results.map(|r| json!({ "tool": r.tool, "is_error": r.is_error, "text": short(&r.content) }));
            json!({ "results": shown.collect::<Vec<_>>(), "commit": step.commit })
        }
        Entry::Note(note) => json!({ "cause": note.cause }),
        Entry::Message(message) => json!({ "message": message.number }),
        Entry::Intent(intent) => json!({ "tool": intent.tool }),
        Entry::Outcome(outcome) => json!({ "tool": outcome.tool, "took_place": outcome.took_place,
                                           "decided_by": outcome.decided_by }),
        Entry::Checks(checks) => {
            let shown = checks.results.iter().map(|c| json!({ "name": c.name, "passed": c.passed }));
            json!({ "passed": checks.passed, "checks": shown.collect::<Vec<_>>() })
        }
    };
    if let (Some(data), serde_json::Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    data
}
