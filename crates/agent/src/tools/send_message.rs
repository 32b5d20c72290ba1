use hive_domain::{MessageId, conversation::MAX_CONTENT_BYTES};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Input, ToolError, Words};
use crate::act::clean;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendMessage {
    /// The name or the id of the agent. May be left out of a reply, which goes to whoever wrote.
    #[serde(default)]
    to: Option<String>,
    /// What it reads, at most 8000 bytes. Nothing secret.
    text: String,
    /// The id of the message that this replies to.
    #[serde(default)]
    reply_to: Option<String>,
}

impl Input for SendMessage {
    const DESCRIPTION: &'static str = "Write to another agent, or reply to its message. It reads your words at its next \
                                       step; one that is idle gets a task for them. You do not wait. A message cannot \
                                       be taken back.";
}

impl SendMessage {
    pub(super) fn words(self) -> Result<Words, ToolError> {
        let reply_to = self.reply_to.map(|id| id.trim().parse::<MessageId>()).transpose();
        let reply_to =
            reply_to.map_err(|_| ToolError::Tell("reply_to must be the id of a message".to_owned()))?;
        if self.to.is_none() && reply_to.is_none() {
            return Err(ToolError::Tell("give to, or reply_to, or both".to_owned()));
        }
        Ok(Words { to: self.to.map(clean), text: content(self.text)?, reply_to, within: None })
    }
}

pub(super) fn content(text: String) -> Result<String, ToolError> {
    let text = clean(text);
    match text.trim().len() {
        0 => Err(ToolError::Tell("the text must not be empty".to_owned())),
        _ if text.len() > MAX_CONTENT_BYTES => Err(ToolError::Tell(format!(
            "the text must have at most {MAX_CONTENT_BYTES} bytes; put what is longer into a file, and name it"
        ))),
        _ => Ok(text),
    }
}
