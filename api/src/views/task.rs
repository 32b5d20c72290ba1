//! A task as it is shown.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hive_domain::{
    StatusReason, TaskStatus,
    task::{AcceptanceCheck, DependencyPolicy, Task, TaskAgent},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    LimitsView, names,
    result::{ResultView, UsageView},
};

/// A task as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Task)]
pub struct TaskView {
    /// Its id.
    id: Uuid,
    /// The owner.
    project_id: Uuid,
    /// What is asked for, in a line.
    title: String,
    /// And at length.
    description: String,
    /// Where it stands.
    #[schema(schema_with = names::task_status)]
    status: TaskStatus,
    /// Why it stands there, a stable code.
    #[schema(value_type = Option<String>)]
    status_reason: Option<StatusReason>,
    /// One sentence for a person.
    status_detail: Option<String>,
    /// Who does it; null for a built-in duty.
    agent: Option<AgentRef>,
    /// The built-in duty, if it is one.
    duty: Option<String>,
    /// 1 is most urgent, 9 least.
    priority: i16,
    /// Claims since the last committed step.
    attempt: i32,
    /// Claims without a step before the task is dead.
    max_attempts: i32,
    /// The last activation, `<task id>.<epoch>`; null before the first.
    run: Option<String>,
    /// Its files, if it has some.
    repository: Option<RepositoryView>,
    /// What decides that it is done.
    acceptance: Vec<Acceptance>,
    /// Facts shown to the agent.
    #[schema(value_type = Object)]
    context: Map<String, Value>,
    /// For filters.
    labels: BTreeMap<String, String>,
    /// What it may use up.
    limits: LimitsView,
    /// The model that was asked for, if the agent's is not meant.
    model: Option<String>,
    /// Tasks that must end first.
    dependencies: Vec<Uuid>,
    /// What an unsuccessful one does.
    #[schema(schema_with = names::dependency_policy)]
    on_dependency_failure: DependencyPolicy,
    /// Not before this time.
    run_at: DateTime<Utc>,
    /// Failed when it has not ended by then.
    deadline: Option<DateTime<Utc>>,
    /// What it is grouped with.
    session_id: Option<Uuid>,
    /// The task that it is a part of.
    parent_id: Option<Uuid>,
    /// What bounds how many like it run at a time.
    concurrency_key: Option<String>,
    /// The ended task that it tries again.
    redriven_from: Option<Uuid>,
    /// The task whose first steps it shares.
    forked_from: Option<Uuid>,
    /// The last step that it shares.
    forked_at: Option<i32>,
    /// Workers that died over it since its last step.
    deaths: i32,
    /// True when only an isolated worker may run it.
    isolated: bool,
    /// The class of its last failed try.
    error_class: Option<String>,
    /// Who asked.
    created_by: String,
    /// When it was accepted.
    created_at: DateTime<Utc>,
    /// When a worker first took it.
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    completed_at: Option<DateTime<Utc>>,
    /// What came out.
    result: Option<ResultView>,
    /// What it used up.
    usage: UsageView,
}

/// The agent of a task.
#[derive(Debug, Serialize, ToSchema)]
struct AgentRef {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// The version its runs are pinned to; the current one before the first run.
    version: i32,
}

/// Where the files come from and where the branch goes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Repository)]
struct RepositoryView {
    /// A git address.
    url: String,
    /// What was asked for.
    base_ref: String,
    /// The commit it named when the task was accepted.
    base_commit: String,
}

/// A command that decides.
#[derive(Debug, Serialize, ToSchema)]
struct Acceptance {
    /// Shown with its result.
    name: String,
    /// Run by `bash -c` in the root of the workspace; exit code 0 is green.
    command: String,
    /// Red when it takes longer, in seconds.
    timeout_seconds: u64,
}

impl From<Task> for TaskView {
    fn from(task: Task) -> Self {
        Self {
            run: (task.epoch > 0).then(|| format!("{}.{}", task.id, task.epoch)),
            id: task.id.uuid(),
            project_id: task.project.uuid(),
            title: task.title,
            description: task.description,
            status: task.status,
            status_reason: task.reason,
            status_detail: task.detail,
            agent: task.agent.map(Into::into),
            duty: task.duty,
            priority: task.priority.get(),
            attempt: task.attempt,
            max_attempts: task.max_attempts,
            repository: task.repository.map(|repository| RepositoryView {
                url: repository.url,
                base_ref: repository.base_ref,
                base_commit: repository.base_commit,
            }),
            acceptance: task.acceptance.into_iter().map(Into::into).collect(),
            context: task.context,
            labels: task.labels,
            limits: task.limits.into(),
            model: task.model,
            dependencies: task.dependencies.into_iter().map(hive_domain::TaskId::uuid).collect(),
            on_dependency_failure: task.on_dependency_failure,
            run_at: task.run_at,
            deadline: task.deadline,
            session_id: task.session.map(hive_domain::SessionId::uuid),
            parent_id: task.parent.map(hive_domain::TaskId::uuid),
            concurrency_key: task.concurrency_key,
            redriven_from: task.redriven_from.map(hive_domain::TaskId::uuid),
            forked_from: task.forked_from.map(|(from, _)| from.uuid()),
            forked_at: task.forked_from.map(|(_, step)| step),
            deaths: task.deaths,
            isolated: task.isolated,
            error_class: task.error_class,
            created_by: task.created_by,
            created_at: task.created_at,
            started_at: task.started_at,
            completed_at: task.completed_at,
            result: task.result.map(Into::into),
            usage: task.usage.into(),
        }
    }
}

impl From<TaskAgent> for AgentRef {
    fn from(agent: TaskAgent) -> Self {
        Self { id: agent.id.uuid(), name: agent.name, kind: agent.kind, version: agent.version }
    }
}

impl From<AcceptanceCheck> for Acceptance {
    fn from(check: AcceptanceCheck) -> Self {
        Self { name: check.name, command: check.command, timeout_seconds: check.timeout_seconds }
    }
}
