//! What is asked for.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{AgentId, ProjectId, SessionId, TaskId},
    journal::TaskResult,
    limits::Limits,
    priority::Priority,
    status::{StatusReason, TaskStatus, UnknownName, names},
    usage::Usage,
};
use std::{fmt, str::FromStr};

names! {
    /// What an unsuccessful dependency does to a task.
    DependencyPolicy, "dependency policy" {
        /// It fails.
        Fail = "fail",
        /// It is cancelled.
        Skip = "skip",
        /// Nothing: the task runs.
        Continue = "continue",
    }
}

/// A command that the harness runs on the final tree; exit 0 is green.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptanceCheck {
    /// Shown with its result.
    pub name: String,
    /// Run by `bash -c` in the root of the workspace.
    pub command: String,
    /// Red when it takes longer.
    #[serde(default = "default_check_seconds")]
    pub timeout_seconds: u64,
}

const fn default_check_seconds() -> u64 {
    120
}

/// Where a task's files come from and where its branch goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// A git URL.
    pub url: String,
    /// What was asked for: a branch, a tag or a commit.
    pub base_ref: String,
    /// What that named when the task was accepted.
    pub base_commit: String,
}

/// Who does the work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Performer {
    /// This agent.
    Agent(AgentId),
    /// The oldest active agent of this type.
    Type(String),
    /// The built-in duty that does nothing: the operator's probe.
    Noop,
}

/// A task that passed the door. A schedule keeps one to make others from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewTask {
    /// Chosen by the caller, so that a repeated insert is noticed.
    pub id: TaskId,
    /// The owner.
    pub project: ProjectId,
    /// 1 to 255 characters.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// Who does it.
    pub performer: Performer,
    /// Urgency.
    pub priority: Priority,
    /// Tasks that must end first.
    pub dependencies: Vec<TaskId>,
    /// What an unsuccessful one does.
    pub on_dependency_failure: DependencyPolicy,
    /// Files, if any.
    pub repository: Option<Repository>,
    /// Checks of the final tree.
    pub acceptance: Vec<AcceptanceCheck>,
    /// Facts shown to the agent.
    pub context: serde_json::Map<String, serde_json::Value>,
    /// For filters.
    pub labels: BTreeMap<String, String>,
    /// Not before this time.
    pub run_at: Option<DateTime<Utc>>,
    /// Tries without progress before the task is dead, 1 to 100.
    pub max_attempts: i32,
    /// What it may use up.
    pub limits: Limits,
    /// Overrides the agent's model.
    pub model: Option<String>,
    /// What it is grouped with.
    pub session: Option<SessionId>,
    /// The task that made it; cancelling that one cancels it.
    pub parent: Option<TaskId>,
    /// Failed when it has not ended by then.
    pub deadline: Option<DateTime<Utc>>,
    /// At most as many tasks of one key run at a time as its limit says.
    pub concurrency_key: Option<String>,
    /// Who asked.
    pub created_by: String,
}

impl NewTask {
    /// A task with nothing but a title, somebody who does it and who asked; the rest as when a caller leaves it out.
    #[must_use]
    pub fn titled(title: &str, performer: Performer, created_by: &str) -> Self {
        Self {
            id: TaskId::new(),
            project: ProjectId::DEFAULT,
            title: title.to_owned(),
            description: String::new(),
            performer,
            priority: Priority::default(),
            dependencies: Vec::new(),
            on_dependency_failure: DependencyPolicy::Fail,
            repository: None,
            acceptance: Vec::new(),
            context: serde_json::Map::new(),
            labels: BTreeMap::new(),
            run_at: None,
            max_attempts: 3,
            limits: Limits::default(),
            model: None,
            session: None,
            parent: None,
            deadline: None,
            concurrency_key: None,
            created_by: created_by.to_owned(),
        }
    }
}

/// The agent of a task, as shown with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskAgent {
    /// Its id.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The pinned version; the current one before the first claim.
    pub version: i32,
    /// It takes tasks.
    #[serde(skip)]
    pub active: bool,
}

/// What there is for a run that begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Awaiting {
    /// Messages that its agent has not been given, and that wake nobody.
    pub messages: bool,
    /// Anything at all that it may recall now.
    pub memories: bool,
}

/// A task as it stands.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The owner.
    pub project: ProjectId,
    /// What is asked for, in a line.
    pub title: String,
    /// And at length.
    pub description: String,
    /// Set for a built-in duty.
    pub duty: Option<String>,
    /// Set unless it is a duty.
    pub agent: Option<TaskAgent>,
    /// Files, if any.
    pub repository: Option<Repository>,
    /// Checks of the final tree.
    pub acceptance: Vec<AcceptanceCheck>,
    /// Facts shown to the agent.
    pub context: serde_json::Map<String, serde_json::Value>,
    /// For filters.
    pub labels: BTreeMap<String, String>,
    /// What it may use up.
    pub limits: Limits,
    /// Overrides the agent's model.
    pub model: Option<String>,
    /// Tasks that must end first.
    pub dependencies: Vec<TaskId>,
    /// What an unsuccessful one does.
    pub on_dependency_failure: DependencyPolicy,
    /// Urgency.
    pub priority: Priority,
    /// Where it stands.
    pub status: TaskStatus,
    /// Why.
    pub reason: Option<StatusReason>,
    /// One sentence for a person.
    pub detail: Option<String>,
    /// Not before this time.
    pub run_at: DateTime<Utc>,
    /// Tries without progress before the task is dead.
    pub max_attempts: i32,
    /// Claims since the last committed step.
    pub attempt: i32,
    /// The fencing token.
    pub epoch: i64,
    /// The next activation runs the checks and nothing else.
    pub verify_only: bool,
    /// The last event.
    pub event_seq: i64,
    /// What came out.
    pub result: Option<TaskResult>,
    /// What it used up.
    pub usage: Usage,
    /// What it is grouped with.
    pub session: Option<SessionId>,
    /// The task that made it.
    pub parent: Option<TaskId>,
    /// Failed when it has not ended by then.
    pub deadline: Option<DateTime<Utc>>,
    /// At most as many tasks of one key run at a time as its limit says.
    pub concurrency_key: Option<String>,
    /// The ended task that it tries again.
    pub redriven_from: Option<TaskId>,
    /// The task whose first steps it shares, and the last of them.
    pub forked_from: Option<(TaskId, i32)>,
    /// Claims that ended without a word since the last step.
    pub deaths: i32,
    /// Only an isolated worker may claim it.
    pub isolated: bool,
    /// How its steps are written; set by the first claim.
    pub journal_format: Option<i16>,
    /// The version of the routing rules that it keeps; set by the first claim.
    pub routing_version: Option<i32>,
    /// The class of the last failed try.
    pub error_class: Option<String>,
    /// Its agent woke, and nobody was told yet what happened in the night.
    pub briefing_waits: bool,
    /// What awaits its first run, where whoever claimed it has looked.
    pub awaits: Option<Awaiting>,
    /// Who asked.
    pub created_by: String,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// Whole seconds that runs of it took so far, by the database's clock; parked time does not count.
    pub running_seconds: u64,
    /// First claim.
    pub started_at: Option<DateTime<Utc>>,
    /// End.
    pub completed_at: Option<DateTime<Utc>>,
}
