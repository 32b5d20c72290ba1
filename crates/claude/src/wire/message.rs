//! The reply: a typed view, and the JSON it was read from.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::stop::StopReason;
use super::usage::Usage;
use crate::raw::RawObject;

/// The typed view of a reply. What it does not show is still in `Reply::content_json`.
#[derive(Clone, Debug)]
pub struct Message {
    /// The service's id of the reply.
    pub id: String,
    /// The model that answered.
    pub model: String,
    /// Why the reply ended.
    pub stop_reason: StopReason,
    /// The stop sequence that was met.
    pub stop_sequence: Option<String>,
    /// More about the end, for example the category of a refusal, as it came.
    pub stop_details: Option<Box<RawValue>>,
    /// The blocks in order.
    pub content: Vec<Block>,
    /// Why the prompt cache was missed, when the service says so.
    pub cache_miss: Option<CacheMiss>,
}

/// Why the prompt cache was missed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CacheMiss {
    /// The service's word for it, such as `messages_changed`.
    #[serde(rename = "type")]
    pub reason: String,
    /// Tokens that were not read from the cache because of it.
    #[serde(default)]
    pub cache_missed_input_tokens: Option<u64>,
}

/// What a reply says of itself to those who look for mistakes.
#[derive(Debug, Deserialize)]
pub(crate) struct Diagnosed {
    #[serde(default)]
    pub cache_miss_reason: Option<CacheMiss>,
}

/// One content block.
#[derive(Clone, Debug)]
pub enum Block {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A call of one of the request's tools.
    ToolUse {
        /// The id that the result must name.
        id: String,
        /// The tool.
        name: String,
        /// What it is called with.
        input: ToolInput,
    },
    /// A thought; often empty, its signature is in the raw JSON.
    Thinking {
        /// What is shown of it.
        thinking: String,
    },
    /// A block this crate does not read, kept in the raw JSON.
    Other {
        /// Its type on the wire.
        kind: String,
    },
}

/// What a tool is called with.
#[derive(Clone, Debug)]
pub enum ToolInput {
    /// A JSON object, as the model wrote it.
    Json(Box<RawValue>),
    /// Not a JSON object. It must not be run or mended; tell the model instead. The history carries `{}` in
    /// its place, since the service takes nothing else.
    Invalid(String),
}

/// A content block as JSON text beside its typed view.
#[derive(Debug)]
pub(crate) struct ParsedBlock {
    pub json: String,
    pub view: Block,
}

impl ParsedBlock {
    /// Reads a block that came in one piece.
    pub(crate) fn from_raw(raw: &RawValue) -> Result<Self, String> {
        let mut object: RawObject =
            serde_json::from_str(raw.get()).map_err(|error| format!("content block: {error}"))?;
        match object.get("input").map(RawValue::get) {
            Some(input) if !input.starts_with('{') && is_tool_use(&object) => {
                let input = input.to_owned();
                object.set("input", empty_object());
                Self::from_object(&object, Some(input))
            }
            _ => Ok(Self { json: raw.get().to_owned(), view: view(&object, None)? }),
        }
    }

    /// Reads a block that was put together from a stream. `invalid_input` is what came instead of a JSON
    /// object.
    pub(crate) fn from_object(object: &RawObject, invalid_input: Option<String>) -> Result<Self, String> {
        Ok(Self { json: object.to_json(), view: view(object, invalid_input)? })
    }
}

pub(crate) fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}

fn is_tool_use(object: &RawObject) -> bool {
    object.text("type").as_deref() == Some("tool_use")
}

fn view(object: &RawObject, invalid_input: Option<String>) -> Result<Block, String> {
    let kind = object.text("type").ok_or("content block without a type")?;
    let need = |field: &str| object.text(field).ok_or_else(|| format!("{kind} block without {field}"));
    Ok(match kind.as_str() {
        "text" => Block::Text { text: need("text")? },
        "thinking" => Block::Thinking { thinking: need("thinking")? },
        "tool_use" => Block::ToolUse {
            id: need("id")?,
            name: need("name")?,
            input: match invalid_input {
                Some(text) => ToolInput::Invalid(text),
                None => ToolInput::Json(object.get("input").map_or_else(empty_object, ToOwned::to_owned)),
            },
        },
        _ => Block::Other { kind },
    })
}

/// The envelope of a whole reply: the body of a JSON answer, and what `message_start` carries.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope {
    pub id: String,
    pub model: String,
    #[serde(default)]
    pub content: Vec<Box<RawValue>>,
    pub usage: Usage,
    #[serde(default)]
    pub stop_reason: Option<String>,
    #[serde(default)]
    pub stop_sequence: Option<String>,
    #[serde(default)]
    pub stop_details: Option<Box<RawValue>>,
    #[serde(default)]
    pub diagnostics: Option<Diagnosed>,
}

/// How a reply ended; all of it null while it has not.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct End {
    #[serde(default)]
    pub stop_reason: Option<String>,
    #[serde(default)]
    pub stop_sequence: Option<String>,
    #[serde(default)]
    pub stop_details: Option<Box<RawValue>>,
}
