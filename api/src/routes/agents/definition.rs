//! What an agent's definition must be like.

use hive_domain::{AgentDefinition, ToolName};
use hive_store::Store;

use crate::{error::Result, faults::Faults, known_models::KnownModels, views::check_limits};

/// Longest name and type, in characters; the schema of the store says the same.
const MAX_NAME: usize = 255;
const MAX_TYPE: usize = 100;
const MAX_ROLE: usize = 1_000;
const MAX_PROMPT_BYTES: usize = 100_000;
const MAX_MODEL: usize = 100;
const MAX_FALLBACKS: usize = 5;
const MAX_CAPABILITIES: usize = 64;
const MAX_CAPABILITY: usize = 100;

/// All tools: what an agent gets that names none.
pub fn all_tools() -> Vec<String> {
    ToolName::ALL.iter().map(ToString::to_string).collect()
}

/// The model class of an agent that names none.
pub fn work() -> String {
    "work".to_owned()
}

/// Notes what of a name cannot be accepted.
pub fn check_name(name: &str, faults: &mut Faults) {
    faults.demand_text(name, MAX_NAME, "/name");
}

/// Notes what of a type cannot be accepted.
pub fn check_type(kind: &str, faults: &mut Faults) {
    faults.demand_text(kind, MAX_TYPE, "/type");
}

/// Notes what of a definition cannot be accepted.
pub fn check(definition: &AgentDefinition, faults: &mut Faults) {
    let role = definition.role.chars().count();
    faults.demand(role <= MAX_ROLE, "/role", "must have at most 1000 characters");
    faults.demand_bytes(definition.system_prompt.len(), MAX_PROMPT_BYTES, "/system_prompt");
    faults.demand_text(&definition.model, MAX_MODEL, "/model");
    faults.demand_count(definition.fallback_models.len(), MAX_FALLBACKS, "/fallback_models");
    for (index, model) in definition.fallback_models.iter().enumerate() {
        let pointer = format!("/fallback_models/{index}");
        if *model == definition.model || definition.fallback_models[..index].contains(model) {
            faults.refuse(pointer, "is named twice");
        } else {
            faults.demand_text(model, MAX_MODEL, pointer);
        }
    }
    for (index, tool) in definition.tools.iter().enumerate() {
        let pointer = format!("/tools/{index}");
        if tool.parse::<ToolName>().is_err() {
            faults.refuse(pointer, format!("is none of {}", all_tools().join(", ")));
        } else if definition.tools[..index].contains(tool) {
            faults.refuse(pointer, "is named twice");
        }
    }
    faults.demand_count(definition.capabilities.len(), MAX_CAPABILITIES, "/capabilities");
    for (index, capability) in definition.capabilities.iter().enumerate() {
        faults.demand_text(capability, MAX_CAPABILITY, format!("/capabilities/{index}"));
    }
    check_limits(&definition.limits, faults);
}

/// Refuses models that do not answer calls to come, the one that is asked and those that stand in for it. One that stands
/// in `before` already may have ended since: everything else can be changed all the same.
///
/// # Errors
/// 422 that names the field and, for a model that has ended, what to name instead.
pub async fn check_models(
    store: &Store,
    definition: &AgentDefinition,
    before: Option<&AgentDefinition>,
) -> Result<()> {
    let fallback = definition.fallback_models.iter().enumerate();
    let fallback = fallback.map(|(index, model)| (model, format!("/fallback_models/{index}")));
    let named = std::iter::once((&definition.model, "/model".to_owned())).chain(fallback);
    let stood = |model: &String| {
        before.is_some_and(|before| *model == before.model || before.fallback_models.contains(model))
    };
    let new: Vec<_> = named.filter(|(model, _)| !stood(model)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let (mut faults, known) = (Faults::default(), KnownModels::read(store).await?);
    for (model, pointer) in new {
        known.check(model, pointer, &mut faults);
    }
    faults.finish()
}
