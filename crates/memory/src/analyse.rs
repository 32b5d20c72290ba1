//! From text to terms: what a lexical search compares.
//!
//! A term is a word in lower case without its ending, or the whole of something that people write exactly: an id, a path,
//! a version, an error code. Such a whole is a term beside its parts, so that it is found by itself and by a part of it.

use std::collections::{BTreeMap, HashMap};

use rust_stemmers::{Algorithm, Stemmer};

/// What stands before a whole, which no word has.
const WHOLE: char = '=';
/// What may stand within a whole.
const JOINTS: &str = "-_./:@#+";
/// A longer word is cut: nobody asks for more of it.
pub(crate) const LONGEST: usize = 64;

/// Words that say nothing of what a text is about. Negations are none of them.
const STOP_WORDS: [&str; 98] = [
    "a", "about", "after", "again", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "because", "been", "before", "being", "both", "but", "by", "can", "could", "did", "do", "does", "doing",
    "for", "from", "had", "has", "have", "having", "he", "her", "here", "hers", "him", "his", "how", "i",
    "if", "in", "into", "is", "it", "its", "just", "me", "my", "of", "on", "or", "our", "ours", "out",
    "over", "own", "s", "she", "should", "so", "some", "such", "t", "than", "that", "the", "their", "them",
    "then", "there", "these", "they", "this", "those", "to", "too", "under", "up", "very", "was", "we",
    "were", "what", "when", "where", "which", "while", "who", "whom", "why", "will", "with", "would", "you",
    "your", "yours",
];

/// What stands within a whole that is code and no compound of words.
const CODE: &str = "_./:@#+";

/// A term and how often it stands in a text.
pub type Count = (String, u32);

/// A term that is looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Sought {
    /// The term.
    pub term: String,
    /// How much it counts: 1, or, of a part of a whole, its share of 1. Else a name of three parts would weigh as much as
    /// four words.
    pub weight: f32,
    /// Whether it is one that people write exactly: see [`is_exact`].
    pub exact: bool,
}

/// Reads texts. One for each thread or for all; it holds nothing that changes.
pub struct Analyser {
    stemmer: Stemmer,
}

impl Default for Analyser {
    fn default() -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English) }
    }
}

impl std::fmt::Debug for Analyser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Analyser").finish_non_exhaustive()
    }
}

impl Analyser {
    /// The terms of `text`, in their order, with repetitions.
    #[must_use]
    pub fn terms(&self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        for piece in pieces(text) {
            terms.extend(whole(piece));
            terms.extend(parts(piece).filter_map(|part| self.word(part)));
        }
        terms
    }

    /// The terms of a question, each once, with what they count. Sorted by term.
    #[must_use]
    pub fn sought(&self, question: &str) -> Vec<Sought> {
        let mut weights: BTreeMap<String, f32> = BTreeMap::new();
        let mut add = |term: String, weight: f32| {
            let most = weights.entry(term).or_default();
            *most = most.max(weight);
        };
        for piece in pieces(question) {
            if let Some(whole) = whole(piece) {
                add(whole, 1.0);
            }
            let words: Vec<String> = parts(piece).filter_map(|part| self.word(part)).collect();
            #[expect(clippy::cast_precision_loss, reason = "a count of words")]
            let share = 1.0 / words.len().max(1) as f32;
            words.into_iter().for_each(|word| add(word, share));
        }
        weights.into_iter().map(|(term, weight)| Sought { exact: is_exact(&term), term, weight }).collect()
    }

    /// The terms of `text` with their counts, and how many there are with repetitions. Sorted by term.
    #[must_use]
    pub fn counts(&self, text: &str) -> (Vec<Count>, u32) {
        let mut counts: HashMap<String, u32> = HashMap::new();
        let mut length = 0;
        for term in self.terms(text) {
            // A whole is its parts once more: it does not make a text longer.
            length += u32::from(!term.starts_with(WHOLE));
            *counts.entry(term).or_default() += 1;
        }
        let mut counts: Vec<Count> = counts.into_iter().collect();
        counts.sort_unstable();
        (counts, length)
    }

    fn word(&self, part: &str) -> Option<String> {
        let word: String = part.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
        if STOP_WORDS.binary_search(&&*word).is_ok() {
            return None;
        }
        // An ending is one of a word; what holds a digit is no word.
        if word.chars().any(|c| !c.is_ascii_lowercase()) {
            return Some(word);
        }
        Some(self.stemmer.stem(&word).into_owned())
    }
}

/// Whether a term is one that people write exactly: with digits, or joined as code is. `half-written` and `tax-engine` are
/// words: they stand in too much to be told by.
#[must_use]
pub fn is_exact(term: &str) -> bool {
    let has_digit = term.chars().any(|c| c.is_ascii_digit());
    match term.strip_prefix(WHOLE) {
        Some(whole) => has_digit || whole.contains(|c| CODE.contains(c)),
        None => has_digit && term.len() > 1,
    }
}

/// What stands between blanks and such, without joints at its ends.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || JOINTS.contains(c)))
        .map(|piece| piece.trim_matches(|c: char| JOINTS.contains(c)))
        .filter(|piece| !piece.is_empty())
}

fn parts(piece: &str) -> impl Iterator<Item = &str> {
    piece.split(|c: char| JOINTS.contains(c)).filter(|part| !part.is_empty())
}

/// The term of a piece that has several parts.
fn whole(piece: &str) -> Option<String> {
    parts(piece).nth(1)?;
    let whole: String = piece.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    Some(format!("{WHOLE}{whole}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_their_endings_and_stop_words_go() {
        let terms = Analyser::default().terms("The deployments were failing, because of it's connections");
        assert_eq!(terms, ["deploy", "fail", "connect"]);
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn what_is_written_exactly_is_a_term_of_its_own() {
        let analyser = Analyser::default();
        for (text, expected) in [
            ("error E0502.", &["error", "e0502"][..]),
            ("see src/Main.rs:42", &["see", "=src/main.rs:42", "src", "main", "rs", "42"]),
            ("pool conn-pool-7f3a9c2e is", &["pool", "=conn-pool-7f3a9c2e", "conn", "pool", "7f3a9c2e"]),
            ("ECONNRESET (10.0.0.1)", &["econnreset", "=10.0.0.1", "10", "0", "0", "1"]),
            ("Zürich, 東京", &["zürich", "東京"]),
            ("--- ... not", &["not"]),
        ] {
            assert_eq!(analyser.terms(text), expected, "{text}");
        }
        assert!(is_exact("e0502") && is_exact("=a/b") && is_exact("=max_size") && is_exact("=px-7"));
        assert!(!is_exact("error") && !is_exact("4") && !is_exact("=half-written"));
    }

    #[test]
    fn the_parts_of_a_name_count_as_one_word() {
        let sought = Analyser::default().sought("Is conn-pool-7 of the pool up, pool?");
        let found: Vec<(&str, f32, bool)> =
            sought.iter().map(|sought| (&*sought.term, sought.weight, sought.exact)).collect();
        let third = 1.0 / 3.0;
        // What is said beside the name as well counts as the word that it is.
        assert_eq!(
            found,
            [("7", third, false), ("=conn-pool-7", 1.0, true), ("conn", third, false), ("pool", 1.0, false)]
        );
    }

    #[test]
    fn counts_are_sorted_and_a_whole_adds_no_length() {
        let (counts, length) = Analyser::default().counts("retry retry a-b");
        let own = |term: &str, count| (term.to_owned(), count);
        // "a" is a stop word, wherever it stands.
        assert_eq!(counts, [own("=a-b", 1), own("b", 1), own("retri", 2)]);
        assert_eq!(length, 3);
    }
}
