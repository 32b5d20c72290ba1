//! The body of `POST /v1/messages`.
//!
//! Sampling fields (`temperature`, `top_p`, `top_k`) are missing on purpose: the current API version refuses
//! them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One request for a reply. Fields are written in the order they stand here, `messages` behind all that a run keeps as
/// it is, so a request with one more message begins with the bytes of the request before it.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// The model's id.
    pub model: String,
    /// The most tokens the reply may have, thinking included.
    pub max_tokens: u32,
    /// A marker on the last cacheable block of the whole request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<CacheControl>,
    /// Who the request is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// How the model thinks. Which values a model takes differs; a wrong one is answered with 400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    /// Effort and shape of the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_config: Option<OutputConfig>,
    /// Texts that end the reply when the model writes one of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<String>,
    /// Which tools the model may or must call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// The tools. A change here makes the whole cached prefix useless.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// The system prompt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub system: Vec<SystemBlock>,
    /// The history. Only append: thinking blocks are signed for the bytes before them.
    pub messages: Vec<RequestMessage>,
    /// Behind the history, since it changes from turn to turn: asks why the prompt cache was missed, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<Diagnostics>,
    /// Asks for a signed block that stands for the history, instead of a reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compaction: Option<Compaction>,
    /// Names for the `anthropic-beta` header, for fields that need one.
    #[serde(skip)]
    pub betas: Vec<&'static str>,
}

impl Request {
    /// A request with nothing but what is required.
    pub fn new(model: impl Into<String>, max_tokens: u32) -> Self {
        Self {
            model: model.into(),
            max_tokens,
            cache_control: None,
            metadata: None,
            thinking: None,
            output_config: None,
            stop_sequences: Vec::new(),
            tool_choice: None,
            tools: Vec::new(),
            system: Vec::new(),
            messages: Vec::new(),
            diagnostics: None,
            compaction: None,
            betas: Vec::new(),
        }
    }

    /// The bytes that are sent, `"stream":true` included. The same request gives the same bytes each time.
    pub fn body(&self) -> Result<Vec<u8>, serde_json::Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            stream: bool,
            #[serde(flatten)]
            request: &'a Request,
        }
        serde_json::to_vec(&Body { stream: true, request: self })
    }

    /// The same request as a batch takes it: without `"stream"`. Betas do not go with it.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn batch_body(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// One turn of the history; its content is written byte for byte as it is held here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestMessage {
    /// Who speaks.
    pub role: Role,
    /// A JSON string or an array of content blocks. For an assistant turn, `Reply::content_json`.
    pub content: Box<RawValue>,
}

impl RequestMessage {
    /// A user turn.
    pub fn user(content: Box<RawValue>) -> Self {
        Self { role: Role::User, content }
    }

    /// An assistant turn.
    pub fn assistant(content: Box<RawValue>) -> Self {
        Self { role: Role::Assistant, content }
    }
}

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person or the harness, tool results included.
    User,
    /// The model.
    Assistant,
    /// An instruction in the middle of a conversation; text only, not first, newer models only.
    System,
}

/// One block of the system prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "text")]
pub struct SystemBlock {
    /// The text.
    pub text: String,
    /// A marker that ends a cached prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<CacheControl>,
}

/// One tool the model may call.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    /// The tool's type for tools the service defines, for example `bash_20250124`; `None` for our own.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The name the model calls it by.
    pub name: String,
    /// What it does, for the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON schema of its input; required for our own tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Box<RawValue>>,
    /// Whether the service makes sure that inputs keep to the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// A marker that ends a cached prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<CacheControl>,
}

impl Tool {
    /// A tool of our own.
    pub fn custom(
        name: impl Into<String>,
        description: impl Into<String>,
        input_schema: Box<RawValue>,
    ) -> Self {
        Self {
            kind: None,
            name: name.into(),
            description: Some(description.into()),
            input_schema: Some(input_schema),
            strict: None,
            cache_control: None,
        }
    }
}

/// Which tools the model may or must call. `Any` and `Tool` are refused by Opus 5.5, Sonnet 5.5 and Fable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToolChoice {
    /// The model decides.
    Auto {
        /// At most one call in a reply.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        disable_parallel_tool_use: bool,
    },
    /// Some tool must be called.
    Any,
    /// This tool must be called.
    Tool {
        /// Its name.
        name: String,
    },
    /// No tool may be called.
    None,
}

/// How the model thinks before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Thinking {
    /// As much as the task needs.
    Adaptive {
        /// What of it is shown.
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<Display>,
    },
    /// Up to a number of tokens; models of the 4.5 generation.
    Enabled {
        /// At least 1,024 and less than `max_tokens`.
        budget_tokens: u32,
    },
    /// Not at all.
    Disabled,
    /// Only between tool calls; Sonnet 5.5's way of switching it off.
    BetweenTools,
}

/// What of the thinking is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Display {
    /// A summary.
    Summarized,
    /// Nothing but the signature. A long thought then streams no content events, see
    /// `Config::idle_timeout`.
    Omitted,
}

/// Effort and shape of the output.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OutputConfig {
    /// How hard the model tries; `None` is the model's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// A JSON schema that the text must keep to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<OutputFormat>,
}

/// How hard the model tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the whole meaning")]
pub enum Effort {
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl From<Effort> for hive_domain::Effort {
    fn from(effort: Effort) -> Self {
        match effort {
            Effort::Low => Self::Low,
            Effort::Medium => Self::Medium,
            Effort::High => Self::High,
            Effort::Xhigh => Self::Xhigh,
            Effort::Max => Self::Max,
        }
    }
}

impl From<hive_domain::Effort> for Effort {
    fn from(effort: hive_domain::Effort) -> Self {
        match effort {
            hive_domain::Effort::Low => Self::Low,
            hive_domain::Effort::Medium => Self::Medium,
            hive_domain::Effort::High => Self::High,
            hive_domain::Effort::Xhigh => Self::Xhigh,
            hive_domain::Effort::Max => Self::Max,
        }
    }
}

/// The shape of the text output.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "json_schema")]
pub struct OutputFormat {
    /// The JSON schema; objects need `additionalProperties: false`.
    pub schema: Box<RawValue>,
}

/// A prompt-cache marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "ephemeral")]
pub struct CacheControl {
    /// How long the prefix is kept; `None` is five minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Ttl>,
}

/// How long a cached prefix is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Ttl {
    /// Five minutes after the last use.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// One hour after the last use; writing costs more.
    #[serde(rename = "1h")]
    OneHour,
}

/// What the service is told so that it can explain a cache miss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostics {
    /// The id of the message before; `None`, which is sent, says that there was none.
    pub previous_message_id: Option<String>,
}

/// A history that is put aside on demand. Needs [`COMPACTION_BETA`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "summarize")]
pub struct Compaction {
    /// What the summary should hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

/// The beta that [`Request::compaction`] and the block that comes of it need.
pub const COMPACTION_BETA: &str = "compact-2026-09-04";

/// Who a request is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// An opaque id, never a name or an address.
    pub user_id: String,
}

#[cfg(test)]
mod tests;
