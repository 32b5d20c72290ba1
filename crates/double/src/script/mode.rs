//! Behaviours that a rule can name in place of an answer of its own.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, InputEnd};
use crate::conversation::Conversation;
use crate::night::{self, Manner};
use crate::part;

/// Wait of a slow agent before each answer, unless its rule says otherwise.
const SLOWNESS_MS: u64 = 2_000;

/// An order to use a tool: `call NAME {…}`, in a line of its own or within one. The input ends with the line.
#[expect(clippy::expect_used, reason = "a constant pattern either compiles always or never; a test runs it")]
static ORDER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?im)\b(?:call|run|use)\s+(?:the\s+tool\s+)?`?([A-Za-z0-9_-]+)`?\s*(?:with\s*)?(\{.*\})")
        .expect("the pattern is constant and compiles")
});

/// How an agent behaves. What the rule itself says, thinks, calls or waits comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// Follows the orders in what users wrote, each once and in turn, then ends as the default part does. Orders in
    /// results of tools are read and not followed.
    Obedient,
    /// Follows the orders it finds in results of tools, before anything else. Otherwise obedient.
    Hijacked,
    /// Calls the same tool with the same input for ever: the rule's, the last one called, or the first on offer.
    Looping,
    /// Refuses: no content, stop reason `refusal`.
    Refusing,
    /// Obedient, with a long wait before each answer.
    Slow,
    /// Obedient, but every answer that calls a tool is cut at `max_tokens` within the input of its last call.
    Cutting,
    /// Consolidates a memory by rules over the text.
    Night,
    /// The same, in a form that nobody asked for.
    NightSchemaInvalid,
    /// The same, cut in the middle.
    NightTruncated,
    /// Nothing at all to a request for consolidation.
    NightEmpty,
    /// The same, without half of what it was given.
    NightHalfLost,
    /// The same, with merges that must not be.
    NightWrongMerges,
    /// The same, with many facts of the same words.
    NightFlood,
    /// The same, taking for an update what merely came later.
    NightWrongUpdates,
}

impl Mode {
    /// Completes what the rule has left open.
    pub(super) fn play(self, mut answer: Answer, conversation: &Conversation<'_>) -> Answer {
        if let Some(manner) = self.manner() {
            if let Some(night) = night::answer(conversation, manner) {
                answer.say = answer.say.or(night.say);
                answer.stop_reason = answer.stop_reason.or(night.stop_reason);
            }
            return answer;
        }
        match self {
            Self::Refusing => {
                answer.stop_reason.get_or_insert_with(|| "refusal".to_owned());
                return answer;
            }
            Self::Looping => {
                if answer.tools.is_empty() {
                    answer.tools.extend(again(conversation));
                }
                return answer;
            }
            Self::Hijacked if answer.tools.is_empty() => answer.tools.extend(injected(conversation)),
            Self::Slow if answer.pace.delay_ms == 0 => answer.pace.delay_ms = SLOWNESS_MS,
            _ => {}
        }
        if answer.tools.is_empty() {
            answer.tools.extend(ordered(conversation));
        }
        if answer.tools.is_empty() && answer.say.is_none() {
            let usual = part::answer(conversation);
            answer.say = usual.say;
            answer.tools = usual.tools;
        }
        if self == Self::Cutting && !answer.tools.is_empty() {
            answer.input_end = InputEnd::Half;
            answer.stop_reason.get_or_insert_with(|| "max_tokens".to_owned());
        }
        answer
    }
}

impl Mode {
    /// Whether it is one of those that consolidate a memory.
    pub(super) const fn consolidates(self) -> bool {
        self.manner().is_some()
    }

    /// How it consolidates, if that is what it does.
    const fn manner(self) -> Option<Manner> {
        Some(match self {
            Self::Night => Manner::Good,
            Self::NightSchemaInvalid => Manner::SchemaInvalid,
            Self::NightTruncated => Manner::Truncated,
            Self::NightEmpty => Manner::Empty,
            Self::NightHalfLost => Manner::HalfLost,
            Self::NightWrongMerges => Manner::WrongMerges,
            Self::NightFlood => Manner::Flood,
            Self::NightWrongUpdates => Manner::WrongUpdates,
            _ => return None,
        })
    }
}

/// Orders in a text for tools that are on offer.
fn orders(text: &str, conversation: &Conversation<'_>) -> Vec<(String, Value)> {
    let offered = |name: &str| conversation.tools().any(|(tool, _)| tool == name);
    let found = ORDER.captures_iter(text).map(|found| found.extract().1);
    found
        .filter(|[name, _]| offered(name))
        .filter_map(|[name, input]| {
            let input: Value = serde_json::from_str(input).ok()?;
            Some((name.to_owned(), input))
        })
        .collect()
}

/// The first order of the users that was not followed yet.
fn ordered(conversation: &Conversation<'_>) -> Option<(String, Value)> {
    let done = conversation.calls();
    orders(&conversation.user_texts(), conversation).into_iter().find(|order| !done.contains(order))
}

/// The first order in the newest results that was not followed yet.
fn injected(conversation: &Conversation<'_>) -> Option<(String, Value)> {
    let done = conversation.calls();
    let results = conversation.last_results();
    let found = results.iter().flat_map(|result| orders(&result.text, conversation));
    found.into_iter().find(|order| !done.contains(order))
}

fn again(conversation: &Conversation<'_>) -> Option<(String, Value)> {
    conversation.calls().pop().or_else(|| {
        let (name, tool) = conversation.tools().next()?;
        Some((name.to_owned(), part::complete(json!({}), Some(tool))))
    })
}
