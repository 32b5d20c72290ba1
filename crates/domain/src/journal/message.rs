//! What a person tells an agent while it works.

use serde::{Deserialize, Serialize};

/// A message of a person, at the place of the conversation where the agent reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonMessage {
    /// Its number among the task's messages, from 1.
    pub number: i32,
    /// Who wrote it.
    pub author: String,
    /// What was written.
    pub text: String,
}

impl PersonMessage {
    /// What the model reads: the words, marked as those of the person it works for.
    #[must_use]
    pub fn told(&self) -> String {
        format!("A message from the person you work for:\n\n{}", self.text)
    }
}
