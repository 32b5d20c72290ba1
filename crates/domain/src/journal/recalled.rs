//! What of the memory a run was given, and what not.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::ContextId;

/// What the memory held for a task when it began, at the place of the conversation where the agent reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recalled {
    /// What the model reads, each entry between marks that tell it from anything new; empty when nothing went in.
    pub text: String,
    /// What it is made of.
    pub receipt: RecallReceipt,
}

/// What went in, what did not, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecallReceipt {
    /// Tokens that were allowed, by the embedder's count.
    pub budget_tokens: u32,
    /// Tokens that went in: the sum over what is included, with the marks of each.
    pub tokens: u32,
    /// The time that was asked about.
    pub at: DateTime<Utc>,
    /// The model whose vectors were compared; none when the search went by words alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// In their order.
    pub included: Vec<IncludedEntry>,
    /// Best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<OmittedEntry>,
}

/// An entry that went in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncludedEntry {
    /// The entry.
    pub id: ContextId,
    /// What it counts.
    pub tokens: u32,
    /// How well it fitted; comparable within one receipt only.
    pub score: f32,
}

/// An entry that was found and did not go in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OmittedEntry {
    /// The entry.
    pub id: ContextId,
    /// What it would have counted.
    pub tokens: u32,
    /// How well it fitted.
    pub score: f32,
    /// Why.
    pub reason: Omission,
    /// The one that says the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<ContextId>,
}

/// Why an entry did not go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Omission {
    /// There was no room.
    Budget,
    /// Another one says the same.
    Same,
    /// It has too little to do with what was asked.
    Unrelated,
}
