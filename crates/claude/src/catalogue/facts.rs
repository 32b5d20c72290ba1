//! What is known of one model.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hive_domain::{Effort, Lifecycle};

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// This build.
    Seed,
    /// The service, when it was last asked.
    Service,
}

impl Source {
    /// `seed` or `service`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Service => "service",
        }
    }
}

/// One model: its limits, the rules that it holds requests to, and where it stands in its life.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFacts {
    /// Its id.
    pub id: String,
    /// The name for people.
    pub display_name: Option<String>,
    /// The family, such as `opus`.
    pub line: Option<String>,
    /// Where it stands.
    pub lifecycle: Lifecycle,
    /// When it was deprecated.
    pub deprecated_at: Option<DateTime<Utc>>,
    /// When it ends, or may end.
    pub retires_at: Option<DateTime<Utc>>,
    /// What to name instead.
    pub successor: Option<String>,
    /// The largest prompt, in tokens.
    pub max_input_tokens: Option<u64>,
    /// The largest `max_tokens`.
    pub max_output_tokens: Option<u64>,
    /// Values of `thinking.type` that it takes.
    pub thinking: Vec<String>,
    /// `thinking.type=disabled` is taken up to this effort; with any unless given.
    pub disabled_up_to: Option<Effort>,
    /// Values of `output_config.effort` that it takes.
    pub effort: Vec<Effort>,
    /// `tool_choice` may be `any` or `tool`.
    pub forced_tool: bool,
    /// The last message may be the assistant's.
    pub prefill: bool,
    /// `temperature`, `top_p` and `top_k` are taken, under the older version of the API.
    pub sampling: bool,
    /// Messages with the role `system` are taken between turns.
    pub system_turns: bool,
    /// Who says what, by the name of the field.
    pub sources: BTreeMap<&'static str, Source>,
    /// When the service last listed it.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// When a list of the service was first without it.
    pub vanished_at: Option<DateTime<Utc>>,
}

impl ModelFacts {
    /// A model that only the service knows: what it does not say of it is taken to be refused.
    pub(super) fn unknown(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            display_name: None,
            line: None,
            lifecycle: Lifecycle::Active,
            deprecated_at: None,
            retires_at: None,
            successor: None,
            max_input_tokens: None,
            max_output_tokens: None,
            thinking: Vec::new(),
            disabled_up_to: None,
            effort: Vec::new(),
            forced_tool: false,
            prefill: false,
            sampling: false,
            system_turns: false,
            sources: BTreeMap::new(),
            refreshed_at: None,
            vanished_at: None,
        }
    }

    /// What a reply may have at most when this many tokens are wanted.
    #[must_use]
    pub fn clamp(&self, max_tokens: u32) -> u32 {
        let most = self.max_output_tokens.unwrap_or(u64::MAX);
        u32::try_from(most).unwrap_or(u32::MAX).min(max_tokens)
    }
}
