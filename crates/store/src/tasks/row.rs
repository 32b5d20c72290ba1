//! The row of a task, and its way into the domain.

use chrono::{DateTime, Utc};
use hive_domain::{
    NanoUsd, Priority, Usage,
    task::{Repository, Task, TaskAgent},
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::{Error, Result};

/// All columns of a task and the names of its agent, as `select_tasks!` reads them.
pub(crate) struct TaskRow {
    pub id: Uuid,
    pub project_id: Uuid,
    pub title: String,
    pub description: String,
    pub duty: Option<String>,
    pub agent_id: Option<Uuid>,
    pub agent_name: Option<String>,
    pub agent_type: Option<String>,
    pub agent_version: Option<i32>,
    pub agent_active: Option<bool>,
    pub repository_url: Option<String>,
    pub base_ref: Option<String>,
    pub base_commit: Option<String>,
    pub acceptance: serde_json::Value,
    pub context: serde_json::Value,
    pub labels: serde_json::Value,
    pub limits: serde_json::Value,
    pub model: Option<String>,
    pub dependencies: Vec<Uuid>,
    pub on_dependency_failure: String,
    pub priority: i16,
    pub status: String,
    pub status_reason: Option<String>,
    pub status_detail: Option<String>,
    pub run_at: DateTime<Utc>,
    pub max_attempts: i32,
    pub attempt: i32,
    pub epoch: i64,
    pub verify_only: bool,
    pub next_seq: i32,
    pub event_seq: i64,
    pub result: Option<serde_json::Value>,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cache_read_tokens: i64,
    pub cache_write_tokens: i64,
    pub cost_nano_usd: i64,
    pub running_seconds: i64,
    pub session_id: Option<Uuid>,
    pub parent_id: Option<Uuid>,
    pub deadline: Option<DateTime<Utc>>,
    pub concurrency_key: Option<String>,
    pub redriven_from: Option<Uuid>,
    pub forked_from: Option<Uuid>,
    pub forked_at: Option<i32>,
    pub deaths: i32,
    pub isolated: bool,
    pub journal_format: Option<i16>,
    pub routing_version: Option<i32>,
    pub error_class: Option<String>,
    pub briefing_waits: bool,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
}

/// `select_tasks!(with, source, tail, arguments…)`: reads [`TaskRow`]s from `source`, which has the columns of `tasks`.
macro_rules! select_tasks {
    ($($with:literal)+, $source:literal, $($tail:literal)+ $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::tasks::TaskRow,
            $($with +)+ r#"
            SELECT t.id AS "id!", t.project_id AS "project_id!", t.title AS "title!", t.description AS "description!",
                   t.duty, t.assigned_agent_id AS agent_id, a.name AS "agent_name?", a.type AS "agent_type?",
                   coalesce(t.agent_version, a.version) AS agent_version,
                   a.status = 'active' AS agent_active,
                   t.repository_url, t.base_ref, t.base_commit, t.acceptance AS "acceptance!", t.context AS "context!",
                   t.labels AS "labels!", t.limits AS "limits!", t.model,
                   ARRAY(SELECT d.depends_on FROM task_dependencies d WHERE d.task_id = t.id ORDER BY 1)
                       AS "dependencies!",
                   t.on_dependency_failure::text AS "on_dependency_failure!", t.priority AS "priority!",
                   t.status::text AS "status!", t.status_reason::text, t.status_detail, t.run_at AS "run_at!",
                   t.max_attempts AS "max_attempts!", t.attempt AS "attempt!", t.epoch AS "epoch!",
                   t.verify_only AS "verify_only!", t.next_seq AS "next_seq!", t.event_seq AS "event_seq!", t.result,
                   t.input_tokens AS "input_tokens!", t.output_tokens AS "output_tokens!",
                   t.cache_read_tokens AS "cache_read_tokens!", t.cache_write_tokens AS "cache_write_tokens!",
                   t.cost_nano_usd AS "cost_nano_usd!",
                   (t.run_seconds + CASE WHEN t.status = 'running' THEN extract(epoch FROM now() - t.claimed_at) ELSE 0 END)::bigint
                       AS "running_seconds!",
                   t.session_id, t.parent_id, t.deadline, t.concurrency_key, t.redriven_from, t.forked_from,
                   t.forked_at, t.deaths AS "deaths!", t.isolated AS "isolated!", t.journal_format, t.error_class,
                   t.routing_version,
                   EXISTS (SELECT 1 FROM sleeps b WHERE b.agent_id = t.assigned_agent_id AND b.briefing_due)
                       AS "briefing_waits!",
                   t.created_by AS "created_by!", t.created_at AS "created_at!",
                   t.started_at, t.completed_at
            FROM "# + $source + r#" t LEFT JOIN agents a ON a.id = t.assigned_agent_id
            "# $(+ $tail)+
            $(, $argument)*
        )
    };
}
pub(crate) use select_tasks;

fn json<T: DeserializeOwned>(id: Uuid, column: &'static str, stored: serde_json::Value) -> Result<T> {
    serde_json::from_value(stored).map_err(|e| Error::inconsistent("tasks", column, id, e))
}

impl TryFrom<TaskRow> for Task {
    type Error = Error;

    fn try_from(row: TaskRow) -> Result<Self> {
        let id = row.id;
        let bad = |column| move |e| Error::inconsistent("tasks", column, id, e);
        Ok(Self {
            id: id.into(),
            project: row.project_id.into(),
            title: row.title,
            description: row.description,
            duty: row.duty,
            agent: match (row.agent_id, row.agent_name, row.agent_type, row.agent_version) {
                (Some(id), Some(name), Some(kind), Some(version)) => {
                    let active = row.agent_active.unwrap_or(false);
                    Some(TaskAgent { id: id.into(), name, kind, version, active })
                }
                _ => None,
            },
            repository: match (row.repository_url, row.base_ref, row.base_commit) {
                (Some(url), Some(base_ref), Some(base_commit)) => {
                    Some(Repository { url, base_ref, base_commit })
                }
                _ => None,
            },
            acceptance: json(id, "acceptance", row.acceptance)?,
            context: json(id, "context", row.context)?,
            labels: json(id, "labels", row.labels)?,
            limits: json(id, "limits", row.limits)?,
            model: row.model,
            dependencies: row.dependencies.into_iter().map(Into::into).collect(),
            on_dependency_failure: row.on_dependency_failure.parse().map_err(bad("on_dependency_failure"))?,
            priority: Priority::try_from(i64::from(row.priority))
                .map_err(|e| Error::inconsistent("tasks", "priority", id, e))?,
            status: row.status.parse().map_err(bad("status"))?,
            reason: row
                .status_reason
                .map(|reason| reason.parse())
                .transpose()
                .map_err(bad("status_reason"))?,
            detail: row.status_detail,
            run_at: row.run_at,
            max_attempts: row.max_attempts,
            attempt: row.attempt,
            epoch: row.epoch,
            verify_only: row.verify_only,
            event_seq: row.event_seq,
            result: row.result.map(|result| json(id, "result", result)).transpose()?,
            usage: Usage {
                input_tokens: row.input_tokens,
                output_tokens: row.output_tokens,
                cache_read_tokens: row.cache_read_tokens,
                cache_write_tokens: row.cache_write_tokens,
                // Kept with the calls alone.
                cache_write_1h_tokens: 0,
                cost: NanoUsd(row.cost_nano_usd),
            },
            running_seconds: u64::try_from(row.running_seconds).unwrap_or(0),
            session: row.session_id.map(Into::into),
            parent: row.parent_id.map(Into::into),
            deadline: row.deadline,
            concurrency_key: row.concurrency_key,
            redriven_from: row.redriven_from.map(Into::into),
            forked_from: row.forked_from.map(Into::into).zip(row.forked_at),
            deaths: row.deaths,
            isolated: row.isolated,
            journal_format: row.journal_format,
            routing_version: row.routing_version,
            error_class: row.error_class,
            briefing_waits: row.briefing_waits,
            awaits: None,
            created_by: row.created_by,
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
        })
    }
}
