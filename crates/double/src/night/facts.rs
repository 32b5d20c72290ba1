//! Facts, sorted into those that say the same, those that overtake others, and the rest.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Given, Manner};

/// The share of common words from which on two facts are compared at all.
const COMPARED: f64 = 0.6;
/// The same for one who merges what it should not.
const CARELESS: f64 = 0.4;
/// Words that two facts about the same thing begin with.
const BEGINNING: usize = 2;
/// Words that say nothing.
const EMPTY: [&str; 34] = [
    "a", "an", "and", "are", "as", "at", "be", "been", "by", "do", "does", "for", "from", "has", "have",
    "in", "into", "is", "it", "its", "of", "on", "that", "the", "their", "this", "to", "was", "were",
    "where", "which", "with", "you", "your",
];

struct Words {
    /// In their order, without endings.
    all: Vec<String>,
    plain: BTreeSet<String>,
    numbers: BTreeSet<String>,
    negated: bool,
}

impl Words {
    fn of(text: &str) -> Self {
        let words = text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
        let words = words.map(str::to_lowercase).filter(|word| !word.is_empty());
        let mut found =
            Self { all: Vec::new(), plain: BTreeSet::new(), numbers: BTreeSet::new(), negated: false };
        for word in words {
            if matches!(&*word, "not" | "no" | "never" | "cannot" | "without" | "none")
                || word.ends_with("n't")
            {
                found.negated = !found.negated;
                continue;
            }
            if EMPTY.contains(&&*word) {
                continue;
            }
            let word = stem(&word);
            let set =
                if word.chars().any(|c| c.is_ascii_digit()) { &mut found.numbers } else { &mut found.plain };
            set.insert(word.clone());
            found.all.push(word);
        }
        found
    }

    fn shared(&self, other: &Self) -> f64 {
        let both = self.plain.intersection(&other.plain).count();
        let all = self.plain.len() + other.plain.len() - both;
        if all == 0 { 0.0 } else { both as f64 / all as f64 }
    }

    fn begins_like(&self, other: &Self) -> bool {
        self.all.iter().zip(&other.all).take_while(|(a, b)| a == b).count() >= BEGINNING
    }

    /// Each has one word that the other lacks, and it is the last one.
    fn differs_at_its_end(&self, other: &Self) -> bool {
        let own: Vec<_> = self.plain.difference(&other.plain).collect();
        let others: Vec<_> = other.plain.difference(&self.plain).collect();
        own.len() == 1
            && others.len() == 1
            && self.all.last() == Some(own[0])
            && other.all.last() == Some(others[0])
    }

    fn agrees(&self, other: &Self) -> bool {
        self.numbers == other.numbers && self.negated == other.negated
    }
}

fn stem(word: &str) -> String {
    let endings = ["ing", "ed", "es", "s"];
    let cut = endings.iter().find_map(|ending| word.strip_suffix(ending).filter(|rest| rest.len() > 3));
    cut.unwrap_or(word).to_owned()
}

pub(super) fn sort(given: &[Given], manner: Manner) -> Value {
    if manner == Manner::Flood {
        let all: Vec<usize> = given.iter().map(|fact| fact.id).collect();
        return json!({ "same": [], "updates": [], "kept": all });
    }
    let words: Vec<Words> = given.iter().map(|fact| Words::of(&fact.text)).collect();
    if manner == Manner::WrongUpdates {
        return careless_updates(given, &words);
    }
    let says_the_same = |a: usize, b: usize| {
        let (one, other) = (&words[a], &words[b]);
        if manner == Manner::WrongMerges {
            return one.shared(other) >= CARELESS;
        }
        one.agrees(other) && one.shared(other) >= COMPARED && !one.differs_at_its_end(other)
    };
    let mut group: Vec<usize> = (0..given.len()).collect();
    for a in 0..given.len() {
        for b in a + 1..given.len() {
            if says_the_same(a, b) {
                let (from, to) = (group[b].max(group[a]), group[b].min(group[a]));
                group.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
            }
        }
    }
    let members = |of: usize| (0..given.len()).filter(|at| group[*at] == of).collect::<Vec<_>>();
    let alone = |at: usize| members(group[at]).len() == 1;
    let overtaken_by = |old: usize| {
        let later = (0..given.len()).filter(|new| given[*new].since > given[old].since);
        later
            .filter(|new| {
                let (one, other) = (&words[old], &words[*new]);
                one.begins_like(other)
                    && if one.agrees(other) {
                        one.differs_at_its_end(other)
                    } else {
                        one.shared(other) >= COMPARED
                    }
            })
            .max_by_key(|new| given[*new].since.clone())
    };
    let (mut same, mut updates, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..given.len() {
        if !alone(at) {
            if group[at] == at {
                let longest =
                    members(at).into_iter().max_by_key(|member| given[*member].text.len()).unwrap_or(at);
                let ids: Vec<usize> = members(at).into_iter().map(|member| given[member].id).collect();
                same.push(
                    json!({ "ids": ids, "text": given[longest].text, "reason": "mostly the same words" }),
                );
            }
        } else if let Some(new) = overtaken_by(at) {
            updates.push(json!({ "old": given[at].id, "new": given[new].id, "reason": "a later value" }));
        } else {
            kept.push(json!(given[at].id));
        }
    }
    json!({ "same": same, "updates": updates, "kept": kept })
}

/// Each fact is overtaken by the next later one that shares words with it.
fn careless_updates(given: &[Given], words: &[Words]) -> Value {
    let (mut updates, mut kept) = (Vec::new(), Vec::new());
    for old in 0..given.len() {
        let later = (0..given.len()).filter(|new| given[*new].since > given[old].since);
        let near = later.filter(|new| words[old].shared(&words[*new]) >= CARELESS);
        match near.min_by_key(|new| &given[*new].since) {
            Some(new) => {
                updates
                    .push(json!({ "old": given[old].id, "new": given[new].id, "reason": "it came later" }));
            }
            None => kept.push(json!(given[old].id)),
        }
    }
    json!({ "same": [], "updates": updates, "kept": kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(texts: &[&str]) -> Vec<Given> {
        let facts = texts.iter().enumerate();
        let fact = |(at, text): (usize, &&str)| Given {
            id: at + 1,
            text: (*text).to_owned(),
            since: format!("2026-01-{:02}T00:00:00Z", at + 1),
        };
        facts.map(fact).collect()
    }

    #[test]
    fn facts_are_sorted_by_their_words() {
        let given = facts(&[
            "The shop listens on port 8080",
            "Port 8080 is where the shop listens",
            "The orders queue holds 500 entries",
            "The orders queue holds 900 entries",
            "Alice owns billing",
        ]);
        let sorted = sort(&given, Manner::Good);
        assert_eq!(sorted["same"][0]["ids"], json!([1, 2]));
        assert_eq!((&sorted["updates"][0]["old"], &sorted["updates"][0]["new"]), (&json!(3), &json!(4)));
        assert_eq!(sorted["kept"], json!([4, 5]));
        let wrong = facts(&[
            "The invoice reviewer and billing owner of Acme is Alice",
            "The invoice reviewer and billing owner of Globex is Bob",
        ]);
        let updates = &sort(&wrong, Manner::WrongUpdates)["updates"];
        assert_eq!(sort(&wrong, Manner::Good)["updates"], json!([]));
        assert_eq!((&updates[0]["old"], &updates[0]["new"]), (&json!(1), &json!(2)));
        let careless = sort(&given, Manner::WrongMerges);
        assert_eq!(careless["same"][1]["ids"], json!([3, 4]));
    }
}
