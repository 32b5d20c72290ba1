//! How the double consolidates a memory: by rules over the text of the request, as plain as a person could apply them.
//!
//! It is no model. Facts with mostly the same words say the same when their numbers and negations agree; with the same
//! beginning and another number or last word the later one overtakes the earlier one. Of journals it takes the sentences
//! that say what is needed, wanted or learnt.

mod facts;
mod journals;

use serde::Deserialize;
use serde_json::Value;

use crate::answer::Answer;
use crate::conversation::Conversation;

/// How well it does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As well as it can.
    Good,
    /// JSON of another form than was asked for.
    SchemaInvalid,
    /// Cut in the middle at `max_tokens`.
    Truncated,
    /// Nothing.
    Empty,
    /// Half of what it was given is not in the answer.
    HalfLost,
    /// Also merges what differs in numbers and negations, and what merely shares words.
    WrongMerges,
    /// Takes the later of two facts that share words for an update of the earlier one, whatever they are about.
    WrongUpdates,
    /// Draws many facts of the same words.
    Flood,
}

/// One line of what is given.
#[derive(Clone, Debug, Deserialize)]
struct Given {
    id: usize,
    text: String,
    #[serde(default)]
    since: String,
}

/// Whether a request is one for consolidation.
pub(crate) fn asks(conversation: &Conversation<'_>) -> bool {
    let text = conversation.first_text();
    text.starts_with("<facts>") || text.starts_with("<excerpts>")
}

/// The answer to a request for consolidation; `None` for any other.
pub(crate) fn answer(conversation: &Conversation<'_>, manner: Manner) -> Option<Answer> {
    let text = conversation.first_text();
    let mut value = if text.starts_with("<facts>") {
        facts::sort(&given(&text), manner)
    } else if text.starts_with("<excerpts>") {
        journals::draw(&given(&text), manner)
    } else {
        return None;
    };
    let mut answer = Answer { rule: "night".to_owned(), ..Answer::default() };
    match manner {
        Manner::Empty => return Some(answer),
        Manner::SchemaInvalid => value = serde_json::json!({ "groups": value }),
        Manner::HalfLost => halve(&mut value),
        Manner::Truncated => answer.stop_reason = Some("max_tokens".to_owned()),
        Manner::Good | Manner::WrongMerges | Manner::WrongUpdates | Manner::Flood => {}
    }
    let mut said = value.to_string();
    if manner == Manner::Truncated {
        let middle = (0..=said.len() / 2).rev().find(|at| said.is_char_boundary(*at)).unwrap_or(0);
        said.truncate(middle);
    }
    answer.say = Some(said);
    Some(answer)
}

/// The lines between the marks.
fn given(text: &str) -> Vec<Given> {
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Every second thing of each list goes.
fn halve(value: &mut Value) {
    for list in value.as_object_mut().into_iter().flat_map(|object| object.values_mut()) {
        if let Value::Array(items) = list {
            let mut nth = 0;
            items.retain(|_| {
                nth += 1;
                nth % 2 == 0
            });
        }
    }
}
