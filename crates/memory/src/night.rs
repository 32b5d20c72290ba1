//! The night: what a memory makes of itself. It proposes, asks a model about what is near, and refuses what the model must
//! not decide; nothing here does I/O or reads a clock. What comes out are changes of a version that nobody sees yet.

mod contradict;
mod dedupe;
mod draw;
mod excerpts;
mod fade;
mod gate;
mod marks;
mod merge;
mod near;
mod promote;
mod question;
#[cfg(test)]
mod tests;
mod verdict;

pub use contradict::contradict;
pub use dedupe::dedupe;
pub use draw::extract;
pub use excerpts::{Excerpt, ask_for_facts, excerpts_of_entry, excerpts_of_steps};
pub use fade::fade;
pub use gate::{Gate, probes, score};
pub use merge::merge;
pub use near::{Near, near};
pub use promote::promote;
pub use question::{Asked, GivenFact, ask_about};
pub use verdict::{Flaw, Same, Update, Verdict, text_of};

use hive_store::{ChangeKind, NightChange, NightItem};

/// What a request says: to be sent as one message with a schema for the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// The system prompt; the same for all requests of its kind, so that it is cached.
    pub system: &'static str,
    /// The message.
    pub text: String,
    /// The JSON schema that the answer keeps to.
    pub schema: &'static str,
}

/// The words of an entry: what it says under what title.
fn words_of(item: &NightItem) -> String {
    if item.title.is_empty() { item.content.clone() } else { format!("{}: {}", item.title, item.content) }
}

fn refused(items: &[&NightItem], why: &str) -> NightChange {
    NightChange {
        kind: ChangeKind::Refused,
        born: None,
        retired: Vec::new(),
        sources: items.iter().map(|item| (item.id, item.version)).collect(),
        reason: why.to_owned(),
    }
}

/// A string of JSON that closes no mark of the text around it.
fn line<T: serde::Serialize>(value: &T) -> String {
    // A value of our own types has a JSON form; an empty line would be answered as a missing entry.
    serde_json::to_string(value).unwrap_or_default().replace('<', "\\u003c")
}
