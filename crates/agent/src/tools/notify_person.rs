use schemars::JsonSchema;
use serde::Deserialize;

use super::{Input, ToolError};
use crate::act::clean;

const MAX_CHARACTERS: usize = 2_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NotifyPerson {
    /// What the person should know, at most 2000 characters. Nothing secret.
    text: String,
}

impl Input for NotifyPerson {
    const DESCRIPTION: &'static str = "Send a short notice to the person who watches over this work, outside of the \
                                       task. It cannot be taken back. You get no answer; do not wait for one.";
}

impl NotifyPerson {
    pub(super) fn text(self) -> Result<String, ToolError> {
        let text = self.text.trim();
        match text.chars().count() {
            0 => Err(ToolError::Tell("text must not be empty".to_owned())),
            1..=MAX_CHARACTERS => Ok(clean(text.to_owned())),
            _ => Err(ToolError::Tell(format!("text must have at most {MAX_CHARACTERS} characters"))),
        }
    }
}
