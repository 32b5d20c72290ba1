//! Claim, renew, settle: who may act on a task, and how that right ends.

use std::time::Duration;

use hive_domain::{
    ErrorClass, Lease, Outcome, Priority, StatusReason, TaskId, TaskStatus,
    event::EventKind,
    journal::{JOURNAL_FORMAT, TaskResult},
    task::Task,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    pool::Store,
    tasks::select_tasks,
    text::{storable, storable_json},
};

/// How long a lease lasts without renewal, in seconds of the database's clock.
pub const LEASE_SECONDS: f64 = 10.0;
/// How often a worker renews.
pub const RENEW_EVERY: Duration = Duration::from_secs(3);
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
}

/// The columns that an outcome sets.
struct Change<'a> {
    status: TaskStatus,
    reason: Option<&'static str>,
    detail: Option<&'a str>,
    after: Duration,
    result: Option<&'a TaskResult>,
    event: EventKind,
    counts_attempt: bool,
    error_class: Option<&'static str>,
}

impl Change<'_> {
    /// What the event says besides reason, detail and attempt.
    fn told(&self) -> serde_json::Value {
        match (self.result, self.status) {
            (Some(result), _) => json!({ "summary": storable(&result.summary) }),
            (None, TaskStatus::Waiting) => {
                json!({ "delay_seconds": self.after.min(LONGEST_WAIT).as_secs_f64(), "error_class": self.error_class })
            }
            (None, _) => json!({}),
        }
    }
}

impl<'a> From<&'a Outcome> for Change<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let change = |status, event| Self {
            status,
            reason: None,
            detail: None,
            after: Duration::ZERO,
            result: None,
            event,
            counts_attempt: false,
            error_class: None,
        };
        match outcome {
            Outcome::Done(result) => {
                Self { result: Some(result), ..change(TaskStatus::Succeeded, EventKind::Succeeded) }
            }
            Outcome::Wait { after, reason, detail } => Self {
                reason: Some(reason.as_str()),
                detail: Some(detail),
                after: *after,
                ..change(TaskStatus::Waiting, EventKind::Waiting)
            },
            Outcome::Retry { after, class, detail } => Self {
                reason: Some("retry"),
                detail: Some(detail),
                after: *after,
                counts_attempt: true,
                error_class: Some(ErrorClass::as_str(*class)),
                ..change(TaskStatus::Waiting, EventKind::Waiting)
            },
            Outcome::Yield => Self { reason: Some("drained"), ..change(TaskStatus::Ready, EventKind::Ready) },
            Outcome::Fail { reason, detail, partial } => Self {
                reason: Some(reason.as_str()),
                detail: Some(detail),
                result: Some(partial),
                error_class: Some(reason.as_str()),
                ..change(TaskStatus::Failed, EventKind::Failed)
            },
        }
    }
}

impl Store {
    /// Takes the lease of a task that is ready and still has this epoch. `None`: the ticket is stale, drop it.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn claim(&self, task: TaskId, epoch: i64, worker: &str) -> Result<Option<Lease<Task>>> {
        let row = select_tasks!(
            "WITH task AS (
                 UPDATE tasks
                 SET status = 'running', status_reason = NULL, status_detail = NULL, epoch = epoch + 1,
                     attempt = attempt + 1, worker = $3, lease_until = now() + make_interval(secs => $4),
                     -- The run keeps the definition it starts with.
                     agent_version = coalesce(agent_version,
                                              (SELECT version FROM agents WHERE agents.id = assigned_agent_id)),
                     journal_format = coalesce(journal_format, $6),
                     started_at = coalesce(started_at, now()), claimed_at = now(), event_seq = event_seq + 1, updated_at = now()
                 WHERE id = $1 AND epoch = $2 AND status = 'ready'
                 RETURNING *
             ), event AS (
                 INSERT INTO events (task_id, seq, kind, data)
                 SELECT id, event_seq, $5, jsonb_build_object('worker', worker, 'epoch', epoch, 'attempt', attempt)
                 FROM task
             )",
            "task",
            "",
            task.uuid(),
            epoch,
            worker,
            LEASE_SECONDS,
            EventKind::Started.as_str(),
            JOURNAL_FORMAT,
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            let next_seq = row.next_seq;
            let task = Task::try_from(row)?;
            let (id, epoch) = (task.id, task.epoch);
            Ok(Lease::new(task, id, epoch, next_seq))
        })
        .transpose()
    }

    /// Renews many leases in one statement; returns those that are still held. The others are lost for good.
    ///
    /// # Errors
    /// When Postgres refuses; nothing is known then, and the leases run on until they end.
    pub async fn renew(&self, leases: &[(TaskId, i64)]) -> Result<Vec<TaskId>> {
        let (ids, epochs): (Vec<Uuid>, Vec<i64>) =
            leases.iter().map(|(id, epoch)| (id.uuid(), *epoch)).unzip();
        let held = sqlx::query_scalar!(
            "UPDATE tasks SET lease_until = now() + make_interval(secs => $3)
             FROM unnest($1::uuid[], $2::bigint[]) AS held (id, epoch)
             WHERE tasks.id = held.id AND tasks.epoch = held.epoch AND tasks.status = 'running'
             RETURNING tasks.id",
            &ids,
            &epochs,
            LEASE_SECONDS,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(held.into_iter().map(Into::into).collect())
    }

    /// Ends the run. Takes the lease by reference only so that an unavailable database can be asked again; a settled
    /// lease can write nothing more.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease was lost before: whoever took it decides.
    pub async fn settle<T: Sync>(&self, lease: &Lease<T>, outcome: &Outcome) -> Result<Settled> {
        match self.settle_as(lease, outcome).await {
            // A person wrote while the run ended as done or fell asleep: another run reads it.
            Err(Error::Fenced { .. })
                if matches!(
                    outcome,
                    Outcome::Done(_) | Outcome::Wait { reason: StatusReason::Timer, .. }
                ) && self.has_unread(lease).await? =>
            {
                self.settle_as(lease, &Outcome::Yield).await
            }
            settled => settled,
        }
    }

    async fn settle_as<T: Sync>(&self, lease: &Lease<T>, outcome: &Outcome) -> Result<Settled> {
        let change = Change::from(outcome);
        let result = change
            .result
            .map(serde_json::to_value)
            .transpose()
            .map_err(|e| Error::inconsistent("tasks", "result", lease.task(), e))?
            .map(storable_json);
        let detail = change.detail.map(storable);
        let row = sqlx::query!(
            r#"WITH task AS (
                   UPDATE tasks
                   SET status = CASE WHEN $8 AND attempt >= max_attempts THEN 'dead' ELSE $3::text::task_status END,
                       status_reason = CASE WHEN $8 AND attempt >= max_attempts THEN 'attempts_exhausted'
                                            ELSE $4::text::status_reason END,
                       status_detail = $5, error_class = coalesce($11, error_class), run_at = now() + make_interval(secs => $6), result = coalesce($7, result),
                       -- Parking and handing back return what this claim counted, and only that: the tries before it
                       -- made no progress either. An end keeps the count.
                       attempt = CASE WHEN $8 OR $3::text NOT IN ('waiting', 'ready') THEN attempt
                                      ELSE greatest(attempt - 1, 0) END,
                       verify_only = verify_only AND $3::text IN ('waiting', 'ready'),
                       run_seconds = run_seconds + extract(epoch FROM now() - claimed_at), worker = NULL, lease_until = NULL,
                       announced_at = CASE WHEN $3::text = 'ready' THEN now() END,
                       completed_at = CASE WHEN $3::text IN ('succeeded', 'failed') OR $8 AND attempt >= max_attempts
                                           THEN now() END,
                       event_seq = event_seq + 1, updated_at = now()
                   WHERE id = $1 AND epoch = $2 AND status = 'running'
                     -- A success, and a sleep that a message would end, do not overtake one.
                     AND (messages_read = messages_sent OR verify_only
                          OR $3::text <> 'succeeded' AND coalesce($4::text, '') <> 'timer')
                   RETURNING id, status, status_reason, status_detail, event_seq, priority, attempt
               ), event AS (
                   INSERT INTO events (task_id, seq, kind, data)
                   SELECT id, event_seq, CASE WHEN status = 'dead' THEN 'task.dead' ELSE $9 END,
                          jsonb_strip_nulls(jsonb_build_object('reason', status_reason, 'detail', status_detail,
                                                               'attempt', CASE WHEN $8 THEN attempt END) || $10)
                          - CASE WHEN status = 'dead' THEN 'delay_seconds' ELSE '' END
                   FROM task
               )
               SELECT status::text AS "status!", event_seq AS "event_seq!", priority AS "priority!",
                      -- Counted, since for EXISTS the planner hopes to meet one early and reads the table instead of the
                      -- index; most tasks have none.
                      (SELECT count(*) FROM task_dependencies d WHERE d.depends_on = task.id AND NOT d.resolved) > 0
                          AS "has_dependents!"
               FROM task"#,
            lease.task().uuid(),
            lease.epoch(),
            change.status.as_str(),
            change.reason,
            detail.as_deref(),
            change.after.min(LONGEST_WAIT).as_secs_f64(),
            result,
            change.counts_attempt,
            change.event.as_str(),
            change.told(),
            change.error_class,
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else {
            return Err(Error::Fenced { task: lease.task(), epoch: lease.epoch() });
        };
        let status: TaskStatus =
            row.status.parse().map_err(|e| Error::inconsistent("tasks", "status", lease.task(), e))?;
        let priority = Priority::try_from(i64::from(row.priority))
            .map_err(|e| Error::inconsistent("tasks", "priority", lease.task(), e))?;
        Ok(Settled {
            status,
            event_seq: row.event_seq,
            again: (status == TaskStatus::Ready).then_some(Announcement {
                task: lease.task(),
                epoch: lease.epoch(),
                priority,
            }),
            has_dependents: status.is_end() && row.has_dependents,
        })
    }
}
