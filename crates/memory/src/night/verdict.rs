//! The model's answer about entries. It is taken as a whole or not at all.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What the model says of the entries that it was given, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Entries that say the same.
    pub same: Vec<Same>,
    /// Entries that were overtaken.
    pub updates: Vec<Update>,
    /// All others.
    pub kept: Vec<usize>,
}

/// Entries that say the same.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Same {
    /// Which.
    pub ids: Vec<usize>,
    /// One text for all of them.
    pub text: String,
    /// Why.
    pub reason: String,
}

/// An entry that was overtaken by another.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// The one that holds no longer.
    pub old: usize,
    /// The one that does.
    pub new: usize,
    /// Why.
    pub reason: String,
}

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It holds no text.
    #[error("the answer of the model is empty")]
    Empty,
    /// It was cut.
    #[error("the answer of the model was cut at its limit")]
    Cut,
    /// The model stopped in another way.
    #[error("the model stopped with {0:?}")]
    Stopped(String),
    /// It is not of the form that was asked for.
    #[error("the answer of the model is not of the form that was asked for: {0}")]
    Form(String),
    /// Entries are missing from it.
    #[error("the answer of the model accounts for {named} of {given} entries")]
    Unaccounted {
        /// How many are in it.
        named: usize,
        /// How many it was given.
        given: usize,
    },
    /// It names what was not given.
    #[error("the answer of the model names entry {0}, which it was not given")]
    Unknown(usize),
    /// It names an entry in two places that exclude each other.
    #[error("the answer of the model names entry {0} twice")]
    Twice(usize),
}

/// The text of a message as the service sent it, if the model ended it by itself.
///
/// # Errors
/// When it was cut or refused, or holds no text.
pub fn text_of(message: &str) -> Result<String, Flaw> {
    let message: Value = serde_json::from_str(message).map_err(|error| Flaw::Form(error.to_string()))?;
    match message["stop_reason"].as_str() {
        Some("end_turn" | "stop_sequence") => {}
        Some("max_tokens") => return Err(Flaw::Cut),
        other => return Err(Flaw::Stopped(other.unwrap_or("nothing").to_owned())),
    }
    let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
    let text: String = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
    if text.trim().is_empty() { Err(Flaw::Empty) } else { Ok(text) }
}

impl Verdict {
    /// Reads an answer about so many entries.
    ///
    /// # Errors
    /// When it is not of the form, or does not account for each entry exactly once. An entry that overtakes others is
    /// accounted for by that, and may be among those that say the same, besides.
    pub fn read(text: &str, given: usize) -> Result<Self, Flaw> {
        let verdict: Self = serde_json::from_str(text).map_err(|error| Flaw::Form(error.to_string()))?;
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        let own = verdict.same.iter().flat_map(|same| &same.ids);
        let own = own.chain(verdict.updates.iter().map(|update| &update.old)).chain(&verdict.kept);
        for id in own {
            *places.entry(*id).or_default() += 1;
        }
        if let Some((id, _)) = places.iter().find(|(_, count)| **count > 1) {
            return Err(Flaw::Twice(*id));
        }
        for update in &verdict.updates {
            places.entry(update.new).or_insert(1);
            if update.new == update.old {
                return Err(Flaw::Twice(update.old));
            }
        }
        if let Some(id) = places.keys().find(|id| !(1..=given).contains(*id)) {
            return Err(Flaw::Unknown(*id));
        }
        if places.len() < given {
            return Err(Flaw::Unaccounted { named: places.len(), given });
        }
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(stop: &str, text: &str) -> String {
        json!({ "stop_reason": stop, "content": [{ "type": "text", "text": text }] }).to_string()
    }

    #[test]
    fn an_answer_accounts_for_each_entry_once() {
        let read = |same: &[usize], old: usize, new: usize, kept: &[usize]| {
            let text = json!({
                "same": [{ "ids": same, "text": "t", "reason": "r" }],
                "updates": [{ "old": old, "new": new, "reason": "r" }],
                "kept": kept,
            });
            Verdict::read(&text.to_string(), 6)
        };
        assert!(read(&[1, 2], 3, 4, &[5, 6]).is_ok());
        assert!(read(&[1, 4], 3, 4, &[2, 5, 6]).is_ok(), "what overtakes may say the same as another");
        assert_eq!(read(&[1, 2], 3, 4, &[5]), Err(Flaw::Unaccounted { named: 5, given: 6 }));
        assert_eq!(read(&[1, 2], 3, 4, &[2, 5, 6]), Err(Flaw::Twice(2)));
        assert_eq!(read(&[1, 2], 3, 4, &[5, 6, 7]), Err(Flaw::Unknown(7)));
        assert_eq!(read(&[1, 2], 3, 3, &[4, 5, 6]), Err(Flaw::Twice(3)));
    }

    #[test]
    fn a_cut_empty_or_strange_answer_is_none() {
        assert_eq!(text_of(&message("end_turn", "{}")).unwrap(), "{}");
        assert_eq!(text_of(&message("end_turn", " ")), Err(Flaw::Empty));
        assert_eq!(text_of(r#"{"stop_reason":"end_turn","content":[]}"#), Err(Flaw::Empty));
        assert_eq!(text_of(&message("max_tokens", "{")), Err(Flaw::Cut));
        assert_eq!(text_of(&message("refusal", "")), Err(Flaw::Stopped("refusal".to_owned())));
        for text in ["", "no", "{}", r#"{"same":[],"updates":[],"kept":[1],"more":1}"#] {
            assert!(matches!(Verdict::read(text, 1), Err(Flaw::Form(_))), "{text}");
        }
    }
}
