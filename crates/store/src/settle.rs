//! How a run ends: what the outcome does to the row, and the event that says so.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use hive_domain::{
    ErrorClass, Lease, Outcome, Priority, StatusReason, TaskId, TaskStatus, event::EventKind,
    journal::TaskResult,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    line::Line,
    pool::Store,
    text::{storable, storable_json},
};

/// The longest that a task is parked. What asks for more, such as a header of a foreign server, may not put it beyond
/// the calendar.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// A task that may run now and wants a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The task.
    pub task: TaskId,
    /// Its epoch: the ticket is stale once this changes.
    pub epoch: i64,
    /// Chooses the lane.
    pub priority: Priority,
    /// Goes to the isolated lane whatever its priority.
    pub isolated: bool,
    /// It has waited longer than a task should, or was taken from a dead worker, and goes to the head of its lane.
    pub first: bool,
}

/// What a settled task became.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Where it stands now.
    pub status: TaskStatus,
    /// The event that says so.
    pub event_seq: i64,
    /// Set when it may run again at once.
    pub again: Option<Announcement>,
    /// True when other tasks wait for this end; see [`Store::release_dependents`].
    pub has_dependents: bool,
    /// Set when it gave back a place of its concurrency key; see [`Store::admit`].
    pub freed_key: Option<String>,
}

/// The columns that an outcome sets, for one lease.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    task: TaskId,
    epoch: i64,
    status: TaskStatus,
    reason: Option<&'static str>,
    detail: Option<String>,
    after: Duration,
    result: Option<Value>,
    event: EventKind,
    data: Value,
    counts_attempt: bool,
    error_class: Option<&'static str>,
}

impl Change {
    fn new(task: TaskId, epoch: i64, outcome: &Outcome) -> Result<Self> {
        let change = |status, event| Self {
            task,
            epoch,
            status,
            reason: None,
            detail: None,
            after: Duration::ZERO,
            result: None,
            event,
            data: json!({}),
            counts_attempt: false,
            error_class: None,
        };
        let stored = |result: &TaskResult| {
            let stored = serde_json::to_value(result);
            stored.map(storable_json).map_err(|e| Error::inconsistent("tasks", "result", task, e))
        };
        let told = |result: &TaskResult| json!({ "summary": storable(&result.summary) });
        let said = |detail: &String| Some(storable(detail).into_owned());
        let seconds = |after: &Duration| after.min(&LONGEST_WAIT).as_secs_f64();
        Ok(match outcome {
            Outcome::Done(result) => Self {
                result: Some(stored(result)?),
                data: told(result),
                ..change(TaskStatus::Succeeded, EventKind::Succeeded)
            },
            Outcome::Wait { after, reason, detail } => Self {
                reason: Some(reason.as_str()),
                detail: said(detail),
                after: *after,
                data: json!({ "delay_seconds": seconds(after) }),
                ..change(TaskStatus::Waiting, EventKind::Waiting)
            },
            Outcome::Retry { after, class, detail } => Self {
                reason: Some("retry"),
                detail: said(detail),
                after: *after,
                counts_attempt: true,
                data: json!({ "delay_seconds": seconds(after), "error_class": class }),
                error_class: Some(ErrorClass::as_str(*class)),
                ..change(TaskStatus::Waiting, EventKind::Waiting)
            },
            Outcome::Yield => Self { reason: Some("drained"), ..change(TaskStatus::Ready, EventKind::Ready) },
            Outcome::Halt => Self { reason: Some("paused"), ..change(TaskStatus::Ready, EventKind::Ready) },
            Outcome::Fail { reason, detail, partial } => Self {
                reason: Some(reason.as_str()),
                detail: said(detail),
                result: Some(stored(partial)?),
                data: told(partial),
                error_class: Some(reason.as_str()),
                ..change(TaskStatus::Failed, EventKind::Failed)
            },
        })
    }
}

impl Store {
    /// Ends the run. Takes the lease by reference only so that an unavailable database can be asked again; a settled
    /// lease can write nothing more.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease was lost before: whoever took it decides.
    pub async fn settle<T: Sync>(&self, lease: &Lease<T>, outcome: &Outcome) -> Result<Settled> {
        match self.settle_as(lease, outcome).await {
            // Somebody wrote while the run ended as done or fell asleep: another run reads it.
            Err(Error::Fenced { .. })
                if matches!(
                    outcome,
                    Outcome::Done(_)
                        | Outcome::Wait { reason: StatusReason::Timer | StatusReason::Answer, .. }
                ) && self.has_unread(lease).await? =>
            {
                self.settle_as(lease, &Outcome::Yield).await
            }
            settled => settled,
        }
    }

    async fn settle_as<T: Sync>(&self, lease: &Lease<T>, outcome: &Outcome) -> Result<Settled> {
        let change = Change::new(lease.task(), lease.epoch(), outcome)?;
        self.groups.settlements.submit(&self.lines, change).await
    }
}

/// Ends many runs in one statement.
pub(crate) fn send(line: &mut Line, changes: Arc<[Change]>) -> BoxFuture<'_, Result<Vec<Result<Settled>>>> {
    Box::pin(async move {
        let ids: Vec<Uuid> = changes.iter().map(|c| c.task.uuid()).collect();
        let epochs: Vec<i64> = changes.iter().map(|c| c.epoch).collect();
        let statuses: Vec<String> = changes.iter().map(|c| c.status.as_str().to_owned()).collect();
        let reasons: Vec<Option<String>> = changes.iter().map(|c| c.reason.map(str::to_owned)).collect();
        let details: Vec<Option<String>> = changes.iter().map(|c| c.detail.clone()).collect();
        let afters: Vec<f64> = changes.iter().map(|c| c.after.min(LONGEST_WAIT).as_secs_f64()).collect();
        let results: Vec<Option<Value>> = changes.iter().map(|c| c.result.clone()).collect();
        let counts: Vec<bool> = changes.iter().map(|c| c.counts_attempt).collect();
        let events: Vec<String> = changes.iter().map(|c| c.event.as_str().to_owned()).collect();
        let data: Vec<Value> = changes.iter().map(|c| c.data.clone()).collect();
        let classes: Vec<Option<String>> = changes.iter().map(|c| c.error_class.map(str::to_owned)).collect();
        let rows = sqlx::query!(
            r#"WITH given AS (
                   -- Of two ends of one run the first counts.
                   SELECT DISTINCT ON (id, epoch) *
                   FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::float8[],
                               $7::jsonb[], $8::boolean[], $9::text[], $10::jsonb[], $11::text[]) WITH ORDINALITY
                       AS g (id, epoch, status, reason, detail, after, result, counts, event, data, error_class, nth)
                   ORDER BY id, epoch, nth
               ), held AS (
                   SELECT g.* FROM given g JOIN tasks t ON t.id = g.id AND t.epoch = g.epoch
                   WHERE (t.status = 'running') IS TRUE AND t.id = ANY ($1)
                     -- A success, and a sleep that a message would end, do not overtake one.
                     AND (t.messages_read = t.messages_sent AND t.mail = 0 OR t.verify_only
                          OR g.status <> 'succeeded' AND coalesce(g.reason, '') NOT IN ('timer', 'answer'))
                   ORDER BY t.id FOR NO KEY UPDATE OF t
               ), task AS (
                   UPDATE tasks t
                   SET status = CASE WHEN g.counts AND attempt >= max_attempts THEN 'dead' ELSE g.status::task_status END,
                       status_reason = CASE WHEN g.counts AND attempt >= max_attempts THEN 'attempts_exhausted'
                                            -- A night halts as a pause does; the run cannot tell them apart.
                                            WHEN g.reason = 'paused' AND EXISTS (
                                                SELECT 1 FROM sleeps s
                                                WHERE s.agent_id = t.assigned_agent_id AND s.state <> 'awake') THEN 'asleep'
                                            ELSE g.reason::status_reason END,
                       status_detail = g.detail, error_class = coalesce(g.error_class, t.error_class),
                       run_at = now() + make_interval(secs => g.after),
                       result = coalesce(g.result, t.result),
                       -- Parking and handing back return what this claim counted, and only that: the tries before it
                       -- made no progress either. An end keeps the count.
                       attempt = CASE WHEN g.counts OR g.status NOT IN ('waiting', 'ready') THEN attempt
                                      ELSE greatest(attempt - 1, 0) END,
                       verify_only = verify_only AND g.status IN ('waiting', 'ready'),
                       run_seconds = run_seconds + extract(epoch FROM now() - claimed_at),
                       worker = NULL, lease_until = NULL,
                       announced_at = CASE WHEN g.status = 'ready' THEN now() END,
                       completed_at = CASE WHEN g.status IN ('succeeded', 'failed')
                                             OR g.counts AND attempt >= max_attempts THEN now() END,
                       event_seq = event_seq + 1, updated_at = now()
                   FROM held g WHERE t.id = g.id AND t.id = ANY ($1)
                   RETURNING t.id, t.epoch, t.status, t.status_reason, t.status_detail, t.event_seq, t.priority, t.isolated,
                             t.concurrency_key, t.attempt, g.counts, g.event, g.data
               ), event AS (
                   INSERT INTO events (task_id, seq, kind, data)
                   SELECT id, event_seq, CASE WHEN status = 'dead' THEN 'task.dead' ELSE event END,
                          jsonb_strip_nulls(jsonb_build_object('reason', status_reason, 'detail', status_detail,
                                                               'attempt', CASE WHEN counts THEN attempt END))
                          || data - CASE WHEN status = 'dead' THEN 'delay_seconds' ELSE '' END
                   FROM task
               )
               SELECT id, epoch, status::text AS "status!", event_seq, priority, isolated, concurrency_key,
                      -- Counted, since for EXISTS the planner hopes to meet one early and reads the table instead of the
                      -- index; most tasks have none.
                      (SELECT count(*) FROM task_dependencies d WHERE d.depends_on = task.id AND NOT d.resolved) > 0
                          AS "has_dependents!"
               FROM task"#,
            &ids,
            &epochs,
            &statuses,
            &reasons as &[Option<String>],
            &details as &[Option<String>],
            &afters,
            &results as &[Option<Value>],
            &counts,
            &events,
            &data,
            &classes as &[Option<String>],
        );
        let rows = rows.fetch_all(line.connection().await?).await?;
        let mut settled = HashMap::with_capacity(rows.len());
        for row in rows {
            let task = TaskId::from(row.id);
            let bad = |column| move |e| Error::inconsistent("tasks", column, task, e);
            let status: TaskStatus = row.status.parse().map_err(bad("status"))?;
            let priority = Priority::try_from(i64::from(row.priority))
                .map_err(|e| Error::inconsistent("tasks", "priority", task, e))?;
            let again =
                Announcement { task, epoch: row.epoch, priority, isolated: row.isolated, first: false };
            settled.insert(
                (task, row.epoch),
                Settled {
                    status,
                    event_seq: row.event_seq,
                    again: (status == TaskStatus::Ready).then_some(again),
                    has_dependents: status.is_end() && row.has_dependents,
                    freed_key: row.concurrency_key.filter(|_| status != TaskStatus::Ready),
                },
            );
        }
        let answer = |change: &Change| {
            let fenced = Error::Fenced { task: change.task, epoch: change.epoch };
            settled.remove(&(change.task, change.epoch)).ok_or(fenced)
        };
        Ok(changes.iter().map(answer).collect())
    })
}
