use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Input, ToolError, Words, send_message::content};
use crate::act::clean;

/// How long an answer is waited for unless the agent says, and at most, in seconds.
const SECONDS: (u64, u64) = (300, 24 * 3600);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskAgent {
    /// The name or the id of the agent.
    to: String,
    /// What you want to know, at most 8000 bytes. Nothing secret.
    question: String,
    /// 1 to 86400 seconds until you go on without an answer; 300 unless given.
    #[serde(default)]
    timeout_seconds: Option<u64>,
}

impl Input for AskAgent {
    const DESCRIPTION: &'static str = "Ask another agent and wait for its answer, which reaches you as a message. You go \
                                       on with it, or when the time is over. Costs nothing meanwhile. Any other message \
                                       wakes you earlier; call `wait` then to go on waiting.";
}

impl AskAgent {
    pub(super) fn words(self) -> Result<Words, ToolError> {
        let seconds = self.timeout_seconds.unwrap_or(SECONDS.0);
        if !(1..=SECONDS.1).contains(&seconds) {
            return Err(ToolError::Tell("timeout_seconds must be 1 to 86400".to_owned()));
        }
        let text = content(self.question)?;
        Ok(Words {
            to: Some(clean(self.to)),
            text,
            reply_to: None,
            within: Some(Duration::from_secs(seconds)),
        })
    }
}
