//! The closed sets of names, for the description: read from the domain, so that they cannot drift apart.

use hive_domain::{
    AgentStatus, Audience, CallKind, CatchUp, Channel, DeliveryState, Effort, MemoryScope, MessageKind,
    MessagePolicy, Overlap, PauseMode, SleepRefusal, SleepState, SleepTrigger, SlotOutcome, SystemEventKind,
    TaskStatus, TrustClass, WakeReason, routing::ANY, task::DependencyPolicy,
};
use utoipa::openapi::{ObjectBuilder, Schema, Type, schema::SchemaType};

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

/// Where an event of the system is told.
pub fn channel() -> Schema {
    one_of(Channel::ALL.iter().map(|name| name.as_str()))
}

/// What happened to the system.
pub fn system_event_kind() -> Schema {
    one_of(SystemEventKind::ALL.iter().map(|name| name.as_str()))
}

/// What a pause does to tasks that run.
pub fn pause_mode() -> Schema {
    one_of(PauseMode::ALL.iter().map(|name| name.as_str()))
}

/// What an unsuccessful dependency does.
pub fn dependency_policy() -> Schema {
    one_of(DependencyPolicy::ALL.iter().map(|name| name.as_str()))
}

/// What a slot does while the task of an earlier one runs.
pub fn overlap() -> Schema {
    one_of(Overlap::ALL.iter().map(|name| name.as_str()))
}

/// What happens to slots that were missed.
pub fn catch_up() -> Schema {
    one_of(CatchUp::ALL.iter().map(|name| name.as_str()))
}

/// What became of a slot.
pub fn slot_outcome() -> Schema {
    one_of(SlotOutcome::ALL.iter().map(|name| name.as_str()))
}

/// What a message does to a run at work.
pub fn message_policy() -> Schema {
    one_of(MessagePolicy::ALL.iter().map(|name| name.as_str()))
}

/// Who may recall an entry.
pub fn memory_scope() -> Schema {
    one_of(MemoryScope::ALL.iter().map(|name| name.as_str()))
}

/// How far the source of an entry is believed, from least to most.
pub fn trust_class() -> Schema {
    one_of(TrustClass::ALL.iter().map(|name| name.as_str()))
}

/// What a message between agents is.
pub fn message_kind() -> Schema {
    one_of(MessageKind::ALL.iter().map(|name| name.as_str()))
}

/// How many receive a message.
pub fn audience() -> Schema {
    one_of(Audience::ALL.iter().map(|name| name.as_str()))
}

/// How far a message has come.
pub fn delivery_state() -> Schema {
    one_of(DeliveryState::ALL.iter().map(|name| name.as_str()))
}

/// The kinds of step that routing rules tell apart, and what stands for all of them.
pub fn call_kind() -> Schema {
    one_of(CallKind::ALL.iter().map(|name| name.as_str()).chain([ANY]))
}

/// How hard a model tries.
pub fn effort() -> Schema {
    one_of(Effort::ALL.iter().map(|name| name.as_str()))
}

/// Why an agent sleeps.
pub fn sleep_trigger() -> Schema {
    one_of(SleepTrigger::ALL.iter().map(|name| name.as_str()))
}

/// Where a night stands.
pub fn sleep_state() -> Schema {
    one_of(SleepState::ALL.iter().map(|name| name.as_str()))
}

/// Why an agent stays awake.
pub fn sleep_refusal() -> Schema {
    one_of(SleepRefusal::ALL.iter().map(|name| name.as_str()))
}

/// Why an agent woke; null while it sleeps.
pub fn wake_reason_or_null() -> Schema {
    let names: Vec<Option<&str>> =
        WakeReason::ALL.iter().map(|name| Some(name.as_str())).chain([None]).collect();
    let types = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(types).enum_values(Some(names)).build().into()
}

/// The kinds of journal entries.
pub fn step_kind() -> Schema {
    one_of([
        "reply",
        "tool_results",
        "note",
        "checks",
        "message",
        "agent_message",
        "recalled",
        "briefing",
        "intent",
        "outcome",
        "rollback",
        "compacted",
    ])
}
