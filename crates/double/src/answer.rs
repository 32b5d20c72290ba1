//! An answer as a rule or the default part decided it, before it is settled against its request.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::fault::Fault;

/// What is to be answered, as a rule or the default part decided it.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rule: String,
    pub(crate) thinking: Option<String>,
    pub(crate) say: Option<String>,
    pub(crate) tools: Vec<(String, Value)>,
    /// Overrides what follows from the content.
    pub(crate) stop_reason: Option<String>,
    /// Overrides single fields of the usage.
    pub(crate) usage: Map<String, Value>,
    pub(crate) pace: Pace,
    pub(crate) fault: Option<Fault>,
    /// Where streamed tool input ends.
    pub(crate) input_end: InputEnd,
    /// What explains a stop reason `refusal`.
    pub(crate) refusal: RefusalForm,
    /// What no client can know yet.
    pub(crate) strange: Vec<Strange>,
}

/// Where the streamed input of a tool ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum InputEnd {
    #[default]
    Whole,
    /// A byte too early: the JSON does not parse.
    LastByte,
    /// In the middle, where `max_tokens` was reached.
    Half,
}

/// Something that a later version of the API may send, and that a client has to pass over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Strange {
    /// An event of an unknown name.
    Event,
    /// Unknown fields in the message, its usage and its blocks.
    Field,
    /// A delta of an unknown type.
    Delta,
    /// A block of an unknown type. It can be sent back.
    Block,
}

/// Why a model refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RefusalForm {
    pub(crate) category: Option<Category>,
    pub(crate) explanation: Option<String>,
}

/// `stop_details.category`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Category {
    Cyber,
    Bio,
    FrontierLlm,
    ReasoningExtraction,
    GeneralHarms,
}

/// How slowly an answer comes, and in which pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    pub(crate) delay_ms: u64,
    pub(crate) between_events_ms: u64,
    /// Bytes of each piece of a stream; pieces end anywhere, also inside a line.
    pub(crate) chunk_bytes: Option<usize>,
}
