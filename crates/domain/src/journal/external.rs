//! Calls whose effect lies outside of the workspace: what is written before one starts, and what came of it.

use serde::{Deserialize, Serialize};

/// A call with an outside effect is about to be made. One without an [`ExternalOutcome`] behind it was cut: nobody
/// here knows whether it took effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The call.
    pub tool_use_id: String,
    /// The tool.
    pub tool: String,
}

/// What came of a call with an outside effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalOutcome {
    /// The call.
    pub tool_use_id: String,
    /// The tool.
    pub tool: String,
    /// False when a person found that it did not take effect: the call is made again.
    pub took_place: bool,
    /// What the model reads as the call's result; empty when it did not take place.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content: String,
    /// True when the call did not do what was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    /// The person who said so; absent when the call itself answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
}
