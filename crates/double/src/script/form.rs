//! A script as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::mode::Mode;
use crate::answer::{RefusalForm, Strange};
use crate::fault::FaultForm;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScriptForm {
    /// For the reader.
    #[serde(default, rename = "name")]
    _name: Option<String>,
    pub(super) rules: Vec<RuleForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(super) struct RuleForm {
    pub(super) name: Option<String>,
    pub(super) when: WhenForm,
    pub(super) say: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) tools: Vec<ToolForm>,
    pub(super) stop_reason: Option<String>,
    pub(super) usage: Map<String, Value>,
    /// Calls that the rule answers in all.
    pub(super) times: Option<u64>,
    /// Calls that the rule answers for each `metadata.user_id`.
    pub(super) times_per_user: Option<u64>,
    pub(super) delay_ms: u64,
    pub(super) between_events_ms: u64,
    pub(super) chunk_bytes: Option<usize>,
    pub(super) fault: Option<FaultForm>,
    pub(super) broken_json: bool,
    /// The input of the last tool ends in its middle, as `max_tokens` leaves it.
    pub(super) open_tool_call: bool,
    pub(super) refusal: RefusalForm,
    pub(super) strange: Vec<Strange>,
    pub(super) mode: Option<Mode>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolForm {
    pub(super) name: String,
    #[serde(default = "no_input")]
    pub(super) input: Value,
}

fn no_input() -> Value {
    Value::Object(Map::new())
}

/// Conditions; all of them have to hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WhenForm {
    /// Assistant messages so far.
    pub(super) turn: Option<TurnForm>,
    /// The request is one of a night, or is none.
    pub(super) night: Option<bool>,
    /// Tool whose result is in the last message.
    pub(super) tool: Option<String>,
    /// Pattern on the model id.
    pub(super) model: Option<String>,
    /// Pattern on the system prompt.
    #[serde(alias = "role")]
    pub(super) system: Option<String>,
    /// Pattern on the text of the first message.
    pub(super) first_text: Option<String>,
    /// Pattern on the text of the last message, tool results aside.
    pub(super) last_text: Option<String>,
    /// Pattern on the tool results in the last message; only those of `tool`, where it is given.
    pub(super) last_result: Option<String>,
    /// Pattern on the newest result of a tool, wherever it stands.
    pub(super) result_of: BTreeMap<String, String>,
    /// Pattern on all texts of the request.
    pub(super) request: Option<String>,
    /// The rule does not apply where all of these hold.
    pub(super) not: Option<Box<WhenForm>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum TurnForm {
    Exactly(usize),
    Between(TurnRange),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TurnRange {
    at_least: usize,
    at_most: usize,
}

impl Default for TurnRange {
    fn default() -> Self {
        Self { at_least: 0, at_most: usize::MAX }
    }
}

impl TurnForm {
    pub(super) fn holds(self, turn: usize) -> bool {
        match self {
            Self::Exactly(exact) => turn == exact,
            Self::Between(range) => (range.at_least..=range.at_most).contains(&turn),
        }
    }
}
