//! The models that the double knows, with the rules each of them holds requests to.
//!
//! Limits and rules are those of the vendor's model pages in November 2026.

use serde_json::{Value, json};

/// A value of `thinking.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thinking {
    Adaptive,
    Enabled,
    Disabled,
    BetweenTools,
}

impl Thinking {
    pub(crate) const ALL: [Self; 4] = [Self::Adaptive, Self::Enabled, Self::Disabled, Self::BetweenTools];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::BetweenTools => "between_tools",
        }
    }
}

/// One model and its request rules.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) id: &'static str,
    name: &'static str,
    line: &'static str,
    /// Release time; the epoch where it is not known, as the real API does.
    created_at: &'static str,
    pub(crate) lifecycle: &'static str,
    /// Tokens of prompt and answer together.
    pub(crate) context: u64,
    /// Upper bound of `max_tokens`.
    pub(crate) max_output: u64,
    /// Allowed values of `thinking.type`.
    pub(crate) thinking: &'static [Thinking],
    /// `thinking.type=disabled` only up to effort `high`.
    pub(crate) disabled_up_to_high: bool,
    /// `tool_choice` `any` and `tool` are allowed.
    pub(crate) forced_tool: bool,
    /// The last message may be the assistant's.
    pub(crate) prefill: bool,
    /// `temperature`, `top_p`, `top_k` may differ from their defaults (API version 2023-06-01 only).
    pub(crate) sampling: bool,
    /// Messages with role `system` are allowed between turns.
    pub(crate) system_turns: bool,
    /// Thinking blocks are bound to the messages before them.
    pub(crate) bound_thinking: bool,
    /// Tokens below which a prefix is not cached.
    pub(crate) cache_minimum: u64,
}

use Thinking::{Adaptive, BetweenTools, Disabled, Enabled};

/// What the fifth generation has in common; entries change what differs.
const FIFTH: Model = Model {
    id: "",
    name: "",
    line: "",
    created_at: "1970-01-01T00:00:00Z",
    lifecycle: "active",
    context: 1_000_000,
    max_output: 128_000,
    thinking: &[Adaptive],
    disabled_up_to_high: false,
    forced_tool: false,
    prefill: false,
    sampling: false,
    system_turns: true,
    bound_thinking: true,
    cache_minimum: 1_024,
};

/// What the models before 5 have in common.
const FOURTH: Model = Model {
    thinking: &[Adaptive, Disabled],
    forced_tool: true,
    system_turns: false,
    bound_thinking: false,
    ..FIFTH
};

/// The 4.5 generation: smaller window, explicit thinking budget, prefill and sampling fields allowed.
const FOUR_FIVE: Model = Model {
    context: 200_000,
    max_output: 64_000,
    thinking: &[Enabled, Disabled],
    prefill: true,
    sampling: true,
    ..FOURTH
};

const CATALOGUE: &[Model] = &[
    Model {
        id: "claude-fable-5-2",
        name: "Claude Fable 5.2",
        line: "fable",
        created_at: "2026-11-09T00:00:00Z",
        ..FIFTH
    },
    Model {
        id: "claude-mythos-5-2",
        name: "Claude Mythos 5.2",
        line: "mythos",
        created_at: "2026-11-09T00:00:00Z",
        ..FIFTH
    },
    Model {
        id: "claude-haiku-5-5",
        name: "Claude Haiku 5.5",
        line: "haiku",
        created_at: "2026-10-07T00:00:00Z",
        thinking: &[Adaptive, Disabled],
        disabled_up_to_high: true,
        forced_tool: true,
        cache_minimum: 512,
        ..FIFTH
    },
    Model {
        id: "claude-sonnet-5-5",
        name: "Claude Sonnet 5.5",
        line: "sonnet",
        created_at: "2026-09-28T00:00:00Z",
        thinking: &[Adaptive, BetweenTools],
        cache_minimum: 512,
        ..FIFTH
    },
    Model {
        id: "claude-opus-5-5",
        name: "Claude Opus 5.5",
        line: "opus",
        created_at: "2026-09-22T00:00:00Z",
        cache_minimum: 512,
        ..FIFTH
    },
    Model { id: "claude-fable-5-1", name: "Claude Fable 5.1", line: "fable", ..FIFTH },
    Model { id: "claude-mythos-5-1", name: "Claude Mythos 5.1", line: "mythos", ..FIFTH },
    Model { id: "claude-fable-5", name: "Claude Fable 5", line: "fable", ..FIFTH },
    Model { id: "claude-mythos-5", name: "Claude Mythos 5", line: "mythos", ..FIFTH },
    Model {
        id: "claude-opus-5",
        name: "Claude Opus 5",
        line: "opus",
        disabled_up_to_high: true,
        system_turns: true,
        ..FOURTH
    },
    Model { id: "claude-sonnet-5", name: "Claude Sonnet 5", line: "sonnet", system_turns: true, ..FOURTH },
    Model { id: "claude-opus-4-8", name: "Claude Opus 4.8", line: "opus", system_turns: true, ..FOURTH },
    Model { id: "claude-opus-4-7", name: "Claude Opus 4.7", line: "opus", ..FOURTH },
    Model {
        id: "claude-opus-4-6",
        name: "Claude Opus 4.6",
        line: "opus",
        thinking: &[Adaptive, Enabled, Disabled],
        sampling: true,
        ..FOURTH
    },
    Model {
        id: "claude-sonnet-4-6",
        name: "Claude Sonnet 4.6",
        line: "sonnet",
        thinking: &[Adaptive, Enabled, Disabled],
        sampling: true,
        ..FOURTH
    },
    Model {
        id: "claude-opus-4-5",
        name: "Claude Opus 4.5",
        line: "opus",
        created_at: "2025-11-01T00:00:00Z",
        ..FOUR_FIVE
    },
    Model {
        id: "claude-haiku-4-5",
        name: "Claude Haiku 4.5",
        line: "haiku",
        created_at: "2025-10-01T00:00:00Z",
        ..FOUR_FIVE
    },
    Model {
        id: "claude-sonnet-4-5",
        name: "Claude Sonnet 4.5",
        line: "sonnet",
        created_at: "2025-09-29T00:00:00Z",
        lifecycle: "deprecated",
        ..FOUR_FIVE
    },
];

/// Dated ids, which only the 4.5 generation has.
const DATED: &[(&str, &str)] = &[
    ("claude-opus-4-5-20251101", "claude-opus-4-5"),
    ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
    ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
];

/// The model of an id, dated or not.
pub(crate) fn find(id: &str) -> Option<&'static Model> {
    let id = DATED.iter().find(|(dated, _)| *dated == id).map_or(id, |(_, alias)| alias);
    CATALOGUE.iter().find(|model| model.id == id)
}

/// All models, newest first as far as release times are known.
pub(crate) fn all() -> &'static [Model] {
    CATALOGUE
}

impl Model {
    /// The model object of `GET /v1/models`.
    pub(crate) fn view(&self) -> Value {
        let leaf = |supported: bool| json!({ "supported": supported });
        let types: serde_json::Map<String, Value> = Thinking::ALL
            .iter()
            .map(|kind| (kind.name().to_owned(), leaf(self.thinking.contains(kind))))
            .collect();
        json!({
            "type": "model",
            "id": self.id,
            "display_name": self.name,
            "created_at": self.created_at,
            "lifecycle": self.lifecycle,
            "deprecated_at": null,
            "retires_at": null,
            "line": self.line,
            "max_input_tokens": self.context,
            "max_tokens": self.max_output,
            "capabilities": {
                "batch": leaf(true),
                "citations": leaf(false),
                "code_execution": leaf(false),
                "context_management": leaf(false),
                "effort": {
                    "supported": true, "low": leaf(true), "medium": leaf(true), "high": leaf(true),
                    "xhigh": leaf(true), "max": leaf(true),
                },
                "image_input": leaf(true),
                "pdf_input": leaf(true),
                "server_tools": leaf(false),
                "structured_outputs": leaf(true),
                "thinking": { "supported": true, "types": types },
            },
        })
    }
}
