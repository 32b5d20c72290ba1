//! The closed sets of names, for the description: read from the domain, so that they cannot drift apart.

use hive_domain::{AgentStatus, PauseMode, TaskStatus, task::DependencyPolicy};
use utoipa::openapi::{ObjectBuilder, Schema, Type};

fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> Schema {
    let names: Vec<&str> = names.into_iter().collect();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build().into()
}

/// Where a task stands.
pub fn task_status() -> Schema {
    one_of(TaskStatus::ALL.iter().map(|name| name.as_str()))
}

/// Whether an agent takes tasks.
pub fn agent_status() -> Schema {
    one_of(AgentStatus::ALL.iter().map(|name| name.as_str()))
}

/// What a pause does to tasks that run.
pub fn pause_mode() -> Schema {
    one_of(PauseMode::ALL.iter().map(|name| name.as_str()))
}

/// What an unsuccessful dependency does.
pub fn dependency_policy() -> Schema {
    one_of(DependencyPolicy::ALL.iter().map(|name| name.as_str()))
}

/// The kinds of journal entries.
pub fn step_kind() -> Schema {
    one_of(["reply", "tool_results", "note", "checks"])
}
