//! The beginning of a new segment: what stands for all that came before.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::usage::Usage;

/// The conversation so far was put aside, and goes on with the words of this entry. What was put aside stays in the
/// journal, is paid for and counted, and is never sent again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compacted {
    /// The number of the segment that begins here; the first segment of a task is 1 and has no such entry.
    pub segment: u32,
    /// Why it was time.
    pub trigger: Trigger,
    /// What the model reads behind the words of the task, exactly: a later build sends the same.
    pub text: String,
    /// What the model itself made of the past; absent when its answers could not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// A signed block of the provider that stands for the past in the place of `text`, byte for byte, as long as the
    /// model stays the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Box<RawValue>>,
    /// Tokens of the request before.
    pub tokens_before: i64,
    /// Tokens of the request that follows, as far as bytes tell.
    pub tokens_after: i64,
    /// The model that was asked.
    pub model: String,
    /// Tokens of the call that brought the summary, and their price; nothing when there was none.
    pub usage: Usage,
    /// The provider's id of that exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Why a segment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A good moment: a part of the work was over, and much of the window is used.
    Edge,
    /// So much of the window is used that the next call should not be made.
    Full,
    /// The model, or the service, said that the conversation does not fit.
    Overflow,
}

impl Trigger {
    /// Its stored name, also a label of metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Full => "full",
            Self::Overflow => "overflow",
        }
    }
}

/// The model's own account of the past, in parts, so that a later segment can carry each of them on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Where the work stands.
    pub state: String,
    /// What was decided, and why.
    pub decisions: Vec<String>,
    /// What is still to be done, next first.
    pub open_work: Vec<String>,
    /// What was tried and did not work.
    pub failed_approaches: Vec<String>,
}
