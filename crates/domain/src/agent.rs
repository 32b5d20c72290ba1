//! Who works: a versioned definition.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    limits::Limits,
    status::{UnknownName, names},
};

names! {
    /// Whether an agent takes tasks.
    AgentStatus, "agent status" {
        /// Takes tasks.
        Active = "active",
        /// Keeps its history and takes none.
        Inactive = "inactive",
    }
}

/// One version of an agent. Never edited: a change adds a version, and a run keeps the one it started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentDefinition {
    /// What the agent is for, in one sentence.
    pub role: String,
    /// The system prompt.
    pub system_prompt: String,
    /// A model class of the configuration (`work`, `hard`, `light`) or a model id.
    pub model: String,
    /// Models that stand in for it, in this order, when it is overloaded or gone. Empty: its tasks wait.
    #[serde(default)]
    pub fallback_models: Vec<String>,
    /// Names of the tools it may use.
    pub tools: Vec<String>,
    /// What it can do, for choosing an agent.
    pub capabilities: Vec<String>,
    /// Narrows the limits of each task.
    pub limits: Limits,
}
