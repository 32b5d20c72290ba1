//! Reading and writing the journal.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use hive_domain::{Lease, TaskId, Usage, event::EventKind, journal::Entry};
use serde_json::json;
use sqlx::PgPool;
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

/// What holds at the edge after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// A pause covers the task: it is handed back here.
    pub halted: bool,
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
    pub async fn append<T: Sync>(&self, lease: &mut Lease<T>, step: &NewStep<'_>) -> Result<Edge> {
        let (task, epoch, seq) = (lease.task(), lease.epoch(), lease.next_seq());
        let append = Append::new(task, epoch, seq, step)?;
        let edge = match self.groups.steps.submit(&self.pool, append).await? {
            Some(edge) => edge,
            // Another step may not be written before the next edge, where the pause is looked at again.
            None if self.is_ours(task, epoch, seq).await? => Edge { halted: false },
            None => return Err(Error::Fenced { task, epoch }),
        };
        lease.advance();
        Ok(edge)
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

/// One step on its way.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    task: TaskId,
    epoch: i64,
    seq: i32,
    kind: &'static str,
    body: String,
    commit: Option<String>,
    sandbox: Option<String>,
    call: Option<Uuid>,
    request_id: Option<String>,
    usage: Usage,
    outline: serde_json::Value,
}

impl Append {
    fn new(task: TaskId, epoch: i64, seq: i32, step: &NewStep<'_>) -> Result<Self> {
        let body = step.entry.body();
        let body = body.map_err(|e| Error::inconsistent("steps", "body", format!("{task}/{seq}"), e))?;
        let (usage, request_id) = match step.entry {
            Entry::Reply(reply) => (reply.usage, reply.request_id.as_deref().map(storable)),
            _ => (Usage::default(), None),
        };
        Ok(Self {
            task,
            epoch,
            seq,
            kind: step.entry.kind(),
            body,
            commit: step.commit.map(str::to_owned),
            sandbox: step.sandbox.map(str::to_owned),
            call: step.call,
            request_id: request_id.map(std::borrow::Cow::into_owned),
            usage,
            outline: storable_json(outline(seq, step)),
        })
    }
}

/// Writes one step each of many tasks in one statement. `None`: the row is not as the lease says.
pub(crate) fn send(
    pool: PgPool,
    steps: Arc<[Append]>,
) -> BoxFuture<'static, Result<Vec<Result<Option<Edge>>>>> {
    Box::pin(async move {
        let column = |of: fn(&Usage) -> i64| steps.iter().map(|s| of(&s.usage)).collect::<Vec<i64>>();
        let rows = sqlx::query!(
            r#"WITH given AS (
                   -- Of two tries of one step the first is written.
                   SELECT DISTINCT ON (id, epoch, seq) *
                   FROM unnest($1::uuid[], $2::bigint[], $3::integer[], $4::text[], $5::text[], $6::text[],
                               $7::text[], $8::uuid[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[],
                               $13::bigint[], $14::bigint[], $15::jsonb[]) WITH ORDINALITY
                       AS g (id, epoch, seq, kind, body, commit_hash, sandbox, call, request_id, input_tokens,
                             output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, outline, nth)
                   ORDER BY id, epoch, seq, nth
               ), held AS (
                   SELECT t.id, t.epoch, t.next_seq AS seq FROM given g JOIN tasks t ON t.id = g.id AND t.epoch = g.epoch AND t.next_seq = g.seq
                   WHERE t.status = 'running' ORDER BY t.id FOR NO KEY UPDATE OF t
               ), task AS (
                   UPDATE tasks t
                   SET next_seq = next_seq + 1, event_seq = event_seq + 1, attempt = 1, deaths = 0,
                       lease_until = now() + make_interval(secs => $16),
                       input_tokens = t.input_tokens + g.input_tokens,
                       output_tokens = t.output_tokens + g.output_tokens,
                       cache_read_tokens = t.cache_read_tokens + g.cache_read_tokens,
                       cache_write_tokens = t.cache_write_tokens + g.cache_write_tokens,
                       cost_nano_usd = t.cost_nano_usd + g.cost_nano_usd, updated_at = now()
                   -- By the epoch too: the same group may bring a step under a lease of this task that was lost.
                   FROM given g JOIN held ON held.id = g.id AND held.epoch = g.epoch AND held.seq = g.seq
                   WHERE t.id = held.id
                   RETURNING g.*, t.event_seq, t.priority, t.assigned_agent_id, t.session_id
               ), step AS (
                   INSERT INTO steps (task_id, seq, epoch, kind, body, commit_hash, sandbox)
                   SELECT id, seq, epoch, kind::step_kind, body::json, commit_hash, sandbox FROM task
               ), call AS (
                   UPDATE llm_calls c
                   SET state = 'answered', request_id = task.request_id, input_tokens = task.input_tokens,
                       output_tokens = task.output_tokens, cache_read_tokens = task.cache_read_tokens,
                       cache_write_tokens = task.cache_write_tokens, cost_nano_usd = task.cost_nano_usd,
                       finished_at = now()
                   FROM task WHERE c.id = task.call AND c.task_id = task.id AND c.state = 'intent'
               ), event AS (
                   INSERT INTO events (task_id, seq, kind, data) SELECT id, event_seq, $17, outline FROM task
               )
               SELECT task.id AS "id!", task.epoch AS "epoch!", task.seq AS "seq!",
                      covers(p.fleet, p.lanes, p.agents, p.sessions, priority, assigned_agent_id, session_id)
                          AS "halted!"
               FROM task CROSS JOIN halting_pauses p"#,
            &steps.iter().map(|s| s.task.uuid()).collect::<Vec<_>>(),
            &steps.iter().map(|s| s.epoch).collect::<Vec<_>>(),
            &steps.iter().map(|s| s.seq).collect::<Vec<_>>(),
            &steps.iter().map(|s| s.kind.to_owned()).collect::<Vec<_>>(),
            &steps.iter().map(|s| s.body.clone()).collect::<Vec<_>>(),
            &steps.iter().map(|s| s.commit.clone()).collect::<Vec<_>>() as &[Option<String>],
            &steps.iter().map(|s| s.sandbox.clone()).collect::<Vec<_>>() as &[Option<String>],
            &steps.iter().map(|s| s.call).collect::<Vec<_>>() as &[Option<Uuid>],
            &steps.iter().map(|s| s.request_id.clone()).collect::<Vec<_>>() as &[Option<String>],
            &column(|usage| usage.input_tokens),
            &column(|usage| usage.output_tokens),
            &column(|usage| usage.cache_read_tokens),
            &column(|usage| usage.cache_write_tokens),
            &column(|usage| usage.cost.0),
            &steps.iter().map(|s| s.outline.clone()).collect::<Vec<_>>(),
            LEASE_SECONDS,
            EventKind::Step.as_str(),
        );
        let rows = rows.fetch_all(&pool).await?;
        let written: HashMap<(Uuid, i64, i32), bool> =
            rows.into_iter().map(|row| ((row.id, row.epoch, row.seq), row.halted)).collect();
        let edge = |step: &Append| {
            Ok(written.get(&(step.task.uuid(), step.epoch, step.seq)).map(|&halted| Edge { halted }))
        };
        Ok(steps.iter().map(edge).collect())
    })
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
        Entry::Rollback(rollback) => json!({ "from": rollback.from, "commit": step.commit }),
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
