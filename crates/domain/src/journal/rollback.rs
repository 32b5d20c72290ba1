//! A turn that a person had undone.

use serde::{Deserialize, Serialize};

/// The last turn was undone: its reply and what came of it stay in the journal and are paid for, but are no part of the
/// conversation any more, and the files are as they were before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The number of the step that holds the reply; all from there to this entry is undone, but for what people wrote.
    pub from: i32,
    /// What the turn did outside of the workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing: Vec<Standing>,
}

/// A call whose effect lies outside of the workspace and was not undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The tool.
    pub tool: String,
    /// Its input, as the model wrote it.
    pub input: String,
    /// What it answered.
    pub answer: String,
}

impl Rollback {
    /// What the model reads, before the message of the person who wished it.
    #[must_use]
    pub fn told(&self) -> String {
        let mut text =
            "The person you work for had your last turn undone. Your last reply and what came of it are no \
                        longer a part of this conversation, and the files are as they were before it."
                .to_owned();
        if !self.standing.is_empty() {
            text.push_str(
                "\n\nThese calls of that turn took effect outside of the workspace and are not undone:",
            );
        }
        for Standing { tool, input, answer } in &self.standing {
            text.push_str(&format!("\n- {tool} {input}: {answer}"));
        }
        text
    }
}
