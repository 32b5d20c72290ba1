//! The entries of a task's journal, as they are stored.

mod agent_message;
mod briefing;
mod compacted;
mod exchange;
mod external;
mod message;
mod recalled;
mod rollback;

use std::collections::BTreeMap;

pub use agent_message::AgentMessage;
pub use briefing::Briefing;
use chrono::{DateTime, Utc};
pub use compacted::{Compacted, Summary, Trigger};
pub use exchange::{CacheMiss, Exchange};
pub use external::{ExternalOutcome, Intent};
pub use message::PersonMessage;
pub use recalled::{IncludedEntry, Omission, OmittedEntry, RecallReceipt, Recalled};
pub use rollback::{Rollback, Standing};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::usage::Usage;

/// The format that a journal begins with. Raised when an older build could not read any entry of this one.
pub const FORMAT: i16 = 1;
/// The format of a journal from its first [`Entry::Rollback`] on, which builds that know only [`FORMAT`] cannot read.
pub const ROLLBACK_FORMAT: i16 = 2;
/// The format of a journal from its first [`Entry::Compacted`] on.
pub const SEGMENT_FORMAT: i16 = 3;
/// The format of a journal from its first [`Entry::AgentMessage`] or its first question to another agent on.
pub const MAIL_FORMAT: i16 = 4;
/// The format of a journal from its first [`Entry::Recalled`] on.
pub const RECALL_FORMAT: i16 = 5;
/// The format of a journal from its first [`Entry::Briefing`] on.
pub const BRIEFING_FORMAT: i16 = 6;
/// The newest format that this build can read.
pub const NEWEST_FORMAT: i16 = BRIEFING_FORMAT;

/// True when this build can read a journal of that format. `None` is one that no run has begun.
#[must_use]
pub const fn is_readable(format: Option<i16>) -> bool {
    matches!(format, None | Some(FORMAT..=NEWEST_FORMAT))
}

/// One journal entry.
#[derive(Clone, Debug)]
pub enum Entry {
    /// The model answered.
    Reply(Reply),
    /// The tools of the last reply ran.
    ToolResults(ToolResults),
    /// The harness told the model something.
    Note(Note),
    /// The harness ran the acceptance commands.
    Checks(Checks),
    /// A person told the model something.
    Message(PersonMessage),
    /// Another agent told the model something.
    AgentMessage(Box<AgentMessage>),
    /// The harness told the agent what happened while it slept.
    Briefing(Briefing),
    /// A call with an effect outside of the workspace is about to be made.
    Intent(Intent),
    /// What came of such a call.
    Outcome(ExternalOutcome),
    /// A person had the last turn undone.
    Rollback(Rollback),
    /// A new segment begins; what came before is not sent again.
    Compacted(Box<Compacted>),
    /// What the memory held for the task when it began.
    Recalled(Box<Recalled>),
}

impl Entry {
    /// The stored name of its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Reply(_) => "reply",
            Self::ToolResults(_) => "tool_results",
            Self::Note(_) => "note",
            Self::Checks(_) => "checks",
            Self::Message(_) => "message",
            Self::AgentMessage(_) => "agent_message",
            Self::Briefing(_) => "briefing",
            Self::Intent(_) => "intent",
            Self::Outcome(_) => "outcome",
            Self::Rollback(_) => "rollback",
            Self::Compacted(_) => "compacted",
            Self::Recalled(_) => "recalled",
        }
    }

    /// The stored body.
    ///
    /// # Errors
    /// When the entry holds something JSON cannot express.
    pub fn body(&self) -> serde_json::Result<String> {
        match self {
            Self::Reply(reply) => serde_json::to_string(reply),
            Self::ToolResults(results) => serde_json::to_string(results),
            Self::Note(note) => serde_json::to_string(note),
            Self::Checks(checks) => serde_json::to_string(checks),
            Self::Message(message) => serde_json::to_string(message),
            Self::AgentMessage(message) => serde_json::to_string(message),
            Self::Briefing(briefing) => serde_json::to_string(briefing),
            Self::Intent(intent) => serde_json::to_string(intent),
            Self::Outcome(outcome) => serde_json::to_string(outcome),
            Self::Rollback(rollback) => serde_json::to_string(rollback),
            Self::Compacted(compacted) => serde_json::to_string(compacted),
            Self::Recalled(recalled) => serde_json::to_string(recalled),
        }
    }

    /// Reads an entry back.
    ///
    /// # Errors
    /// When the kind is unknown or the body does not fit it.
    pub fn from_stored(kind: &str, body: &str) -> serde_json::Result<Self> {
        Ok(match kind {
            "reply" => Self::Reply(serde_json::from_str(body)?),
            "tool_results" => Self::ToolResults(serde_json::from_str(body)?),
            "note" => Self::Note(serde_json::from_str(body)?),
            "checks" => Self::Checks(serde_json::from_str(body)?),
            "message" => Self::Message(serde_json::from_str(body)?),
            "agent_message" => Self::AgentMessage(serde_json::from_str(body)?),
            "briefing" => Self::Briefing(serde_json::from_str(body)?),
            "intent" => Self::Intent(serde_json::from_str(body)?),
            "outcome" => Self::Outcome(serde_json::from_str(body)?),
            "rollback" => Self::Rollback(serde_json::from_str(body)?),
            "compacted" => Self::Compacted(serde_json::from_str(body)?),
            "recalled" => Self::Recalled(serde_json::from_str(body)?),
            other => return Err(serde::de::Error::custom(format!("unknown step kind {other:?}"))),
        })
    }
}

/// Why the model stopped; the names of the Messages API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// It was done.
    EndTurn,
    /// It met one of our stop sequences.
    StopSequence,
    /// It wants tools.
    ToolUse,
    /// Cut at the output limit.
    MaxTokens,
    /// A server tool paused; ask again as is.
    PauseTurn,
    /// It declined.
    Refusal,
    /// The conversation is full.
    ModelContextWindowExceeded,
    /// Anything this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// What the model answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// The content array, byte for byte as it goes back to the model.
    pub content: Box<RawValue>,
    /// Why it stopped.
    pub stop: Stop,
    /// The model that answered.
    pub model: String,
    /// The model that the task wished for, when another stood in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_model: Option<String>,
    /// Its tokens and their price.
    pub usage: Usage,
    /// Tool inputs that were not JSON, by tool use id, as they came. In `content` they stand as `{}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub broken_inputs: BTreeMap<String, String>,
    /// The provider's id of the exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What was sent, and how the prompt cache met it; absent in journals of earlier builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Box<Exchange>>,
}

/// One tool call of a reply.
#[derive(Clone, Debug)]
pub struct ToolCall {
    /// The id its result must carry.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its input, or the text that was not JSON.
    pub input: Result<Box<RawValue>, String>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    id: Option<String>,
    name: Option<String>,
    input: Option<Box<RawValue>>,
}

impl Reply {
    fn blocks(&self) -> Vec<Block> {
        // Stored content was assembled by our own client; a block of an unknown shape carries neither call nor text.
        let blocks: Vec<&RawValue> = serde_json::from_str(self.content.get()).unwrap_or_default();
        blocks.into_iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect()
    }

    /// The tool calls, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<ToolCall> {
        self.blocks()
            .into_iter()
            .filter(|block| block.kind == "tool_use")
            .filter_map(|block| {
                let id = block.id?;
                let input = match self.broken_inputs.get(&id) {
                    Some(text) => Err(text.clone()),
                    None => Ok(block.input?),
                };
                Some(ToolCall { id, name: block.name?, input })
            })
            .collect()
    }

    /// The text blocks, one after the other.
    #[must_use]
    pub fn text(&self) -> String {
        let texts =
            self.blocks().into_iter().filter(|block| block.kind == "text").filter_map(|block| block.text);
        // Postgres stores no NUL in a text, and a reader has no use for one.
        texts.collect::<Vec<_>>().join("\n").trim().replace('\0', "\u{fffd}")
    }
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call it answers.
    pub tool_use_id: String,
    /// The tool.
    pub tool: String,
    /// What the model reads, cut to its cap.
    pub content: String,
    /// True when the call did not do what was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    /// The name of the artifact with the whole text, when `content` was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// What of the memory is in it and what is not, when it was recalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recalled: Option<Box<RecallReceipt>>,
}

/// What the tools of one reply answered, all together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolResults {
    /// One for each call, in the order of the calls.
    pub results: Vec<ToolResult>,
    /// Set when the agent called `finish`: its summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// Set when the agent called `wait`: it goes on then, or when a person writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<DateTime<Utc>>,
}

/// Why the harness speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteCause {
    /// The reply was cut at the output limit.
    Cut,
    /// The reply held nothing.
    Empty,
    /// The wait that the agent asked for is over.
    Woken,
    /// The time for the answer to a question to another agent is over.
    Unanswered,
}

/// A message of the harness to the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Why.
    pub cause: NoteCause,
    /// What the model reads.
    pub text: String,
}

/// What one acceptance command did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Its name.
    pub name: String,
    /// The command line.
    pub command: String,
    /// True when it ended with exit code 0 within its time.
    pub passed: bool,
    /// Its exit code; absent when it was killed.
    pub exit_code: Option<i32>,
    /// Its wall time.
    pub milliseconds: u64,
    /// The end of what it printed.
    pub output: String,
}

/// What the harness found on a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// What the agent claimed.
    pub summary: String,
    /// One for each acceptance command.
    pub results: Vec<CheckResult>,
    /// The tree they ran on, so that a later edit makes the evidence stale.
    pub tree: Option<String>,
    /// True when all are green.
    pub passed: bool,
    /// What the model reads when they are red.
    pub message: String,
}

/// How much the branch changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffStat {
    /// Files.
    pub files: u64,
    /// Lines added.
    pub insertions: u64,
    /// Lines removed.
    pub deletions: u64,
}

/// What came out of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskResult {
    /// What the agent says it did; the whole answer of a task without files. The ends of one that is too long for the
    /// task's row.
    pub summary: String,
    /// The branch, when there are files.
    pub branch: Option<String>,
    /// Its head.
    pub commit: Option<String>,
    /// The head's tree.
    pub tree: Option<String>,
    /// How much it changes.
    pub diff_stat: Option<DiffStat>,
    /// The last checks.
    pub checks: Vec<CheckResult>,
}
