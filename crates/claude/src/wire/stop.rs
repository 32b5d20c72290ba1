//! Why the model stopped.

/// Why a reply ended. A reason this crate does not know is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The model finished its turn.
    EndTurn,
    /// One of the request's stop sequences was written; `Message::stop_sequence` names it.
    StopSequence,
    /// The model waits for the results of its tool calls.
    ToolUse,
    /// `max_tokens` was reached. A tool call at the end may be incomplete and must not be run.
    MaxTokens,
    /// A server tool's loop was paused: append the reply as it is and ask again.
    PauseTurn,
    /// The model refused; `Message::stop_details` says in which category.
    Refusal,
    /// The context window is full: compact, then go on.
    ModelContextWindowExceeded,
    /// Only a block that stands for the history came back, as was asked for.
    Compaction,
    /// A reason that is not in this list.
    Unknown(String),
}

impl StopReason {
    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::EndTurn => "end_turn",
            Self::StopSequence => "stop_sequence",
            Self::ToolUse => "tool_use",
            Self::MaxTokens => "max_tokens",
            Self::PauseTurn => "pause_turn",
            Self::Refusal => "refusal",
            Self::ModelContextWindowExceeded => "model_context_window_exceeded",
            Self::Compaction => "compaction",
            Self::Unknown(name) => name,
        }
    }
}

impl From<&str> for StopReason {
    fn from(name: &str) -> Self {
        match name {
            "end_turn" => Self::EndTurn,
            "stop_sequence" => Self::StopSequence,
            "tool_use" => Self::ToolUse,
            "max_tokens" => Self::MaxTokens,
            "pause_turn" => Self::PauseTurn,
            "refusal" => Self::Refusal,
            "model_context_window_exceeded" => Self::ModelContextWindowExceeded,
            "compaction" => Self::Compaction,
            other => Self::Unknown(other.to_owned()),
        }
    }
}
