//! Whether a model takes a request, decided before it is sent: what the service would refuse costs a turn and a wait.

use std::borrow::Cow;

use hive_domain::Effort;
use serde::Deserialize;

use super::{Catalogue, facts::ModelFacts, standing::Standing};
use crate::wire::request::{Request, RequestMessage, Role, Thinking, ToolChoice};

/// Why a request is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// The model does not answer, is unknown or has no price.
    #[error("{0}")]
    Model(String),
    /// The model would refuse it.
    #[error("{pointer} of a request to {model}: {why}")]
    Rule {
        /// The model.
        model: String,
        /// What of the request, as a JSON pointer.
        pointer: &'static str,
        /// Which rule it breaks.
        why: String,
    },
}

impl Catalogue {
    /// Checks a request against the rules of its model.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, request: &Request) -> Result<(), Unsendable> {
        // A list may be without a model for a moment; whether it still answers, the service says itself.
        let standing = self.standing(&request.model);
        let refusal = standing.refusal().filter(|_| !matches!(standing, Standing::Vanished(_)));
        match (self.model(&request.model), refusal) {
            (_, Some(why)) => Err(Unsendable::Model(why.to_owned())),
            (None, None) => Ok(()),
            (Some(facts), None) => facts.check(request),
        }
    }
}

/// A turn that the service paused within a tool of its own is sent back as it is.
fn is_paused(turn: &RequestMessage) -> bool {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(rename = "type", borrow)]
        name: Cow<'a, str>,
    }
    let blocks: Vec<Kind<'_>> = serde_json::from_str(turn.content.get()).unwrap_or_default();
    blocks.last().is_some_and(|block| {
        block.name == "server_tool_use"
            || (block.name.ends_with("_tool_result") && block.name != "tool_result")
    })
}

impl ModelFacts {
    fn check(&self, request: &Request) -> Result<(), Unsendable> {
        let effort = request.output_config.as_ref().and_then(|config| config.effort).map(Effort::from);
        if let Some(most) = self.max_output_tokens
            && u64::from(request.max_tokens) > most
        {
            return self.refuse("/max_tokens", format!("has {most} tokens at most"));
        }
        if let Some(thinking) = request.thinking {
            self.check_thinking(thinking, effort, request.max_tokens)?;
        }
        if let Some(effort) = effort
            && !self.effort.contains(&effort)
        {
            return self.refuse("/output_config/effort", format!("{effort} is not one of its efforts"));
        }
        if matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Tool { .. })) && !self.forced_tool
        {
            return self.refuse("/tool_choice", "it cannot be made to call a tool".to_owned());
        }
        let last = request.messages.last();
        if last.is_some_and(|last| last.role == Role::Assistant && !is_paused(last)) && !self.prefill {
            return self.refuse("/messages", "the last of them must not be the assistant's".to_owned());
        }
        if request.messages.iter().any(|message| message.role == Role::System) && !self.system_turns {
            return self.refuse("/messages", "none may have the role system".to_owned());
        }
        Ok(())
    }

    fn check_thinking(
        &self,
        thinking: Thinking,
        effort: Option<Effort>,
        max_tokens: u32,
    ) -> Result<(), Unsendable> {
        const LEAST: u32 = 1_024;
        let kind = match thinking {
            Thinking::Adaptive { .. } => "adaptive",
            Thinking::Enabled { .. } => "enabled",
            Thinking::Disabled => "disabled",
            Thinking::BetweenTools => "between_tools",
        };
        if !self.thinking.iter().any(|taken| taken == kind) {
            return self.refuse("/thinking/type", format!("{kind} is not one of its kinds of thinking"));
        }
        let place = |effort| Effort::ALL.iter().position(|known| *known == effort);
        match thinking {
            Thinking::Disabled => match (self.disabled_up_to, effort) {
                (Some(most), Some(effort)) if place(effort) > place(most) => {
                    let why = format!("disabled is taken up to the effort {most}, and this one is {effort}");
                    self.refuse("/thinking/type", why)
                }
                _ => Ok(()),
            },
            Thinking::Enabled { budget_tokens } if !(LEAST..max_tokens).contains(&budget_tokens) => {
                let why = format!("lies between {LEAST} and max_tokens, and this one is {budget_tokens}");
                self.refuse("/thinking/budget_tokens", why)
            }
            Thinking::Enabled { .. } | Thinking::Adaptive { .. } | Thinking::BetweenTools => Ok(()),
        }
    }

    fn refuse(&self, pointer: &'static str, why: String) -> Result<(), Unsendable> {
        Err(Unsendable::Rule { model: self.id.clone(), pointer, why })
    }
}
