//! What a caller may ask for, and what of it is accepted.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use hive_domain::{
    AgentId, Limits, Priority, ProjectId, SessionId, TaskId,
    task::{AcceptanceCheck, DependencyPolicy, NewTask, Performer},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::ACTOR,
    body::escaped,
    error::Result,
    faults::Faults,
    views::{TaskLimits, check_limits, dependency_policy},
};

const MAX_TITLE: usize = 255;
const MAX_DESCRIPTION_BYTES: usize = 100_000;
const MAX_CONTEXT_BYTES: usize = 64_000;
const MAX_DEPENDENCIES: usize = 100;
const MAX_CHECKS: usize = 20;
const MAX_LABELS: usize = 32;
const MAX_LABEL: usize = 100;
const MAX_LABEL_VALUE: usize = 255;
const MAX_NAME: usize = 100;
const MAX_KEY: usize = 255;
const MAX_COMMAND_BYTES: usize = 10_000;
/// Who does a task that names nobody.
const DEFAULT_TYPE: &str = "backend";

/// A task to be accepted. Only `title` is required.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTask)]
pub struct Submission {
    /// What the other tasks of the same body call it; only when several are sent at once.
    #[serde(rename = "ref")]
    #[schema(max_length = 100)]
    reference: Option<String>,
    /// What is asked for, in a line.
    #[schema(min_length = 1, max_length = 255)]
    title: String,
    /// And at length, at most 100,000 bytes.
    #[serde(default)]
    description: String,
    /// Who does it. Excludes `agent_type`.
    agent_id: Option<Uuid>,
    /// Or the type of agent: its oldest active one does it.
    #[schema(default = "backend", max_length = 100)]
    agent_type: Option<String>,
    /// A built-in duty instead of an agent. Excludes agents, repository and acceptance.
    duty: Option<Duty>,
    /// The owner; the default project unless named.
    project_id: Option<Uuid>,
    /// 1 is most urgent, 9 least.
    #[serde(default)]
    #[schema(value_type = i16, minimum = 1, maximum = 9, default = 5)]
    priority: Priority,
    /// Tasks that must end first, at most 100: their ids, or refs of the same body.
    #[serde(default)]
    dependencies: Vec<String>,
    /// What an unsuccessful one does to this task.
    #[serde(default = "fail")]
    #[schema(schema_with = dependency_policy)]
    on_dependency_failure: DependencyPolicy,
    /// Its files. A task without is pure conversation: its result is the text.
    #[serde(default, deserialize_with = "crate::body::object::optional")]
    repository: Option<Base>,
    /// What decides that it is done, at most 20. Needs a repository.
    #[serde(default, deserialize_with = "crate::body::object::each")]
    acceptance: Vec<Check>,
    /// Facts shown to the agent, at most 64,000 bytes.
    #[serde(default)]
    #[schema(value_type = Object)]
    context: Map<String, Value>,
    /// For filters, at most 32.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Not before this time.
    run_at: Option<DateTime<Utc>>,
    /// Claims without a step before the task is dead.
    #[serde(default = "three")]
    #[schema(minimum = 1, maximum = 100, default = 3)]
    max_attempts: i32,
    /// What it may use up.
    #[serde(default, deserialize_with = "crate::body::object::only")]
    limits: TaskLimits,
    /// A model class or a model id, instead of the agent's.
    #[schema(max_length = 100)]
    model: Option<String>,
    /// What it is grouped with.
    session_id: Option<Uuid>,
    /// The task that it is a part of: cancelling that one cancels it.
    parent_id: Option<Uuid>,
    /// Failed as `deadline` when it has not ended by then.
    deadline: Option<DateTime<Utc>>,
    /// At most as many tasks of one key run at a time as the key's limit says, 1 unless it was set.
    #[schema(max_length = 255)]
    concurrency_key: Option<String>,
}

/// A duty that needs no agent.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Duty {
    /// Nothing: the operator's probe.
    Noop,
}

/// Where the files come from and where the branch goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRepository)]
pub struct Base {
    /// https, ssh, or file below a configured root.
    pub url: String,
    /// A branch, a tag or a commit; the default branch unless named.
    pub base_ref: Option<String>,
}

/// A command that decides.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAcceptance)]
struct Check {
    /// Shown with its result; the command itself unless named.
    #[schema(max_length = 100)]
    name: Option<String>,
    /// Run by `bash -c` in the root of the workspace; exit code 0 is green.
    command: String,
    /// Red when it takes longer, in seconds.
    #[serde(default = "two_minutes")]
    #[schema(minimum = 1, maximum = 3600, default = 120)]
    timeout_seconds: u64,
}

const fn fail() -> DependencyPolicy {
    DependencyPolicy::Fail
}

const fn three() -> i32 {
    3
}

const fn two_minutes() -> u64 {
    120
}

/// The tasks of one body by the names that they have there.
pub type Refs = HashMap<String, TaskId>;

impl Submission {
    /// Checks everything that needs no store, and hands over the task with the base that is still to be looked up.
    ///
    /// # Errors
    /// 422 with every field at fault.
    pub fn check(self) -> Result<(NewTask, Option<Base>)> {
        let mut faults = Faults::default();
        let alone = self.reference.is_none();
        faults.demand(alone, "/ref", "is for tasks that are sent together, to /api/v1/tasks/bulk");
        let checked = self.check_as(TaskId::new(), &Refs::new(), &mut faults);
        faults.finish()?;
        Ok(checked)
    }

    /// What the other tasks of the body call it.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// As [`Self::check`], among others. What is handed over means something only when no fault was noted.
    pub fn check_as(self, id: TaskId, refs: &Refs, faults: &mut Faults) -> (NewTask, Option<Base>) {
        self.check_texts(faults);
        self.check_numbers(faults);
        self.check_performer(faults);
        for (index, check) in self.acceptance.iter().enumerate() {
            check.check(faults, &format!("/acceptance/{index}"));
        }
        let performer = self.performer();
        let limits = Limits::from(self.limits);
        check_limits(&limits, faults);
        let new = NewTask {
            id,
            project: self.project_id.map_or(ProjectId::DEFAULT, ProjectId::from),
            performer,
            title: self.title,
            description: self.description,
            priority: self.priority,
            dependencies: dependencies(&self.dependencies, refs, faults),
            on_dependency_failure: self.on_dependency_failure,
            repository: None,
            acceptance: self.acceptance.into_iter().map(Check::named).collect(),
            context: self.context,
            labels: self.labels,
            run_at: self.run_at,
            max_attempts: self.max_attempts,
            limits,
            model: self.model,
            session: self.session_id.map(SessionId::from),
            parent: self.parent_id.map(TaskId::from),
            deadline: self.deadline,
            concurrency_key: self.concurrency_key,
            created_by: ACTOR.to_owned(),
        };
        (new, self.repository)
    }

    /// Notes times at which only one task could begin or have to end: a schedule makes many.
    pub fn check_no_times(&self, faults: &mut Faults, place: &str) {
        for (time, field) in [(self.run_at, "run_at"), (self.deadline, "deadline")] {
            let pointer = format!("{place}/{field}");
            faults.demand(time.is_none(), &pointer, "is one moment, and a schedule makes a task at many");
        }
    }

    fn check_texts(&self, faults: &mut Faults) {
        faults.demand_text(&self.title, MAX_TITLE, "/title");
        faults.demand_bytes(self.description.len(), MAX_DESCRIPTION_BYTES, "/description");
        if let Some(kind) = &self.agent_type {
            faults.demand_text(kind, MAX_NAME, "/agent_type");
        }
        if let Some(model) = &self.model {
            faults.demand_text(model, MAX_NAME, "/model");
        }
        if let Some(key) = &self.concurrency_key {
            faults.demand_text(key, MAX_KEY, "/concurrency_key");
        }
        if !self.context.is_empty() {
            let bytes = serde_json::to_vec(&self.context).map_or(usize::MAX, |json| json.len());
            faults.demand_bytes(bytes, MAX_CONTEXT_BYTES, "/context");
        }
        faults.demand_count(self.labels.len(), MAX_LABELS, "/labels");
        for (key, value) in &self.labels {
            let pointer = format!("/labels/{}", escaped(key));
            faults.demand_text(key, MAX_LABEL, &pointer);
            if key.contains(':') {
                faults
                    .refuse(&pointer, "a label's name must not contain a colon, so that filters can name it");
            }
            if value.chars().count() > MAX_LABEL_VALUE {
                faults.refuse(pointer, format!("must have at most {MAX_LABEL_VALUE} characters"));
            }
        }
    }

    fn check_numbers(&self, faults: &mut Faults) {
        faults.demand_count(self.dependencies.len(), MAX_DEPENDENCIES, "/dependencies");
        faults.demand_count(self.acceptance.len(), MAX_CHECKS, "/acceptance");
        faults.demand((1..=100).contains(&self.max_attempts), "/max_attempts", "must be 1 to 100");
        for (time, pointer) in [(self.run_at, "/run_at"), (self.deadline, "/deadline")] {
            faults.demand_time(time, pointer);
        }
        if let (Some(run_at), Some(deadline)) = (self.run_at, self.deadline) {
            faults.demand(run_at < deadline, "/deadline", "must lie after run_at");
        }
    }

    fn check_performer(&self, faults: &mut Faults) {
        if self.duty.is_none() {
            let both = self.agent_id.is_some() && self.agent_type.is_some();
            faults.demand(!both, "/agent_type", "must not be given together with agent_id");
            let bare = self.repository.is_none() && !self.acceptance.is_empty();
            faults.demand(!bare, "/acceptance", "needs a repository whose files the commands can run on");
            return;
        }
        for (given, pointer) in [
            (self.agent_id.is_some(), "/agent_id"),
            (self.agent_type.is_some(), "/agent_type"),
            (self.repository.is_some(), "/repository"),
            (!self.acceptance.is_empty(), "/acceptance"),
        ] {
            faults.demand(!given, pointer, "must not be given together with duty");
        }
    }

    fn performer(&self) -> Performer {
        match (self.duty, self.agent_id, &self.agent_type) {
            (Some(Duty::Noop), _, _) => Performer::Noop,
            (None, Some(id), _) => Performer::Agent(AgentId::from(id)),
            (None, None, Some(kind)) => Performer::Type(kind.clone()),
            (None, None, None) => Performer::Type(DEFAULT_TYPE.to_owned()),
        }
    }
}

impl Check {
    fn check(&self, faults: &mut Faults, pointer: &str) {
        if let Some(name) = &self.name {
            faults.demand_text(name, MAX_NAME, format!("{pointer}/name"));
        }
        let command = format!("{pointer}/command");
        faults.demand(!self.command.trim().is_empty(), &command, "must not be empty");
        faults.demand_bytes(self.command.len(), MAX_COMMAND_BYTES, &command);
        let timely = (1..=3600).contains(&self.timeout_seconds);
        faults.demand(timely, &format!("{pointer}/timeout_seconds"), "must be 1 to 3600");
    }

    fn named(self) -> AcceptanceCheck {
        AcceptanceCheck {
            name: self.name.unwrap_or_else(|| self.command.chars().take(MAX_NAME).collect()),
            command: self.command,
            timeout_seconds: self.timeout_seconds,
        }
    }
}

/// Each dependency once, in the order given: naming one twice means nothing more.
fn dependencies(texts: &[String], refs: &Refs, faults: &mut Faults) -> Vec<TaskId> {
    let mut seen = std::collections::HashSet::new();
    let mut ids = Vec::with_capacity(texts.len().min(MAX_DEPENDENCIES));
    for (index, text) in texts.iter().enumerate() {
        match refs.get(text).copied().map_or_else(|| text.parse(), Ok) {
            Ok(id) if seen.insert(id) => ids.push(id),
            Ok(_) => {}
            Err(_) => {
                let what = if refs.is_empty() {
                    "is not a UUID"
                } else {
                    "is neither a UUID nor a ref of this body"
                };
                faults.refuse(format!("/dependencies/{index}"), what);
            }
        }
    }
    ids
}
