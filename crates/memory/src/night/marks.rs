//! What two texts must have in common to say the same, whatever a model thinks: numbers, ids, versions, names, negations
//! and words that stand for the opposite of each other.

use std::collections::BTreeSet;

use crate::analyse::{Analyser, LONGEST, pieces};

/// Words for numbers.
const NUMBERS: [&str; 16] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "hundred", "thousand", "million",
];
const NEGATIONS: [&str; 11] =
    ["not", "no", "never", "none", "nobody", "nothing", "neither", "nor", "without", "cannot", "cant"];
/// Opposites: a text with the one does not say what a text with the other says.
const POLES: [(&str, &str); 30] = [
    ("enabled", "disabled"),
    ("enable", "disable"),
    ("enables", "disables"),
    ("on", "off"),
    ("true", "false"),
    ("before", "after"),
    ("allow", "deny"),
    ("allowed", "denied"),
    ("allowed", "forbidden"),
    ("min", "max"),
    ("minimum", "maximum"),
    ("increase", "decrease"),
    ("start", "stop"),
    ("open", "closed"),
    ("up", "down"),
    ("first", "last"),
    ("always", "never"),
    ("succeeds", "fails"),
    ("success", "failure"),
    ("pass", "fail"),
    ("passes", "fails"),
    ("more", "less"),
    ("above", "below"),
    ("left", "right"),
    ("add", "remove"),
    ("public", "private"),
    ("read", "write"),
    ("internal", "external"),
    ("staging", "production"),
    ("required", "optional"),
];

/// What of a text is compared letter by letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Numbers, ids, versions, paths.
    pub(super) exact: BTreeSet<String>,
    /// Words with a capital within a sentence, in lower case.
    names: BTreeSet<String>,
    negations: usize,
    /// All words in lower case.
    words: BTreeSet<String>,
    /// Stems of the words that say what it is about.
    pub(super) terms: BTreeSet<String>,
}

impl Marks {
    pub(super) fn of(analyser: &Analyser, text: &str) -> Self {
        let mut marks = Self::default();
        for term in analyser.terms(text) {
            let is_exact = term.chars().any(|c| c.is_ascii_digit())
                || (term.starts_with('=') && term.contains(['/', '_', ':', '@', '#']))
                || NUMBERS.contains(&&*term);
            if is_exact {
                marks.exact.insert(term);
            } else if !term.starts_with('=') {
                marks.terms.insert(term);
            }
        }
        marks.exact.extend(pieces(text).filter(|piece| says_more_than_its_term(piece)).map(str::to_owned));
        let mut begins = true;
        for word in text.split_whitespace() {
            let ends = word.ends_with(['.', '!', '?', ':']);
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            let lower = bare.to_lowercase();
            if NEGATIONS.contains(&&*lower) || lower.ends_with("n't") || lower.ends_with("n\u{2019}t") {
                marks.negations += 1;
            }
            let capitals = bare.chars().filter(|c| c.is_uppercase()).count();
            let is_name = bare.chars().next().is_some_and(char::is_uppercase) && !begins && lower != "i";
            if (is_name || capitals > 1) && !lower.chars().any(|c| c.is_ascii_digit()) {
                marks.names.insert(lower.trim_end_matches("'s").to_owned());
            }
            for part in lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
                marks.words.insert(part.to_owned());
            }
            marks.words.insert(lower);
            begins = ends || bare.is_empty() && begins;
        }
        marks
    }

    /// The share of their terms that both have.
    #[expect(clippy::cast_precision_loss, reason = "counts of terms")]
    pub(super) fn shared(&self, other: &Self) -> f32 {
        let both = self.terms.intersection(&other.terms).count();
        let all = self.terms.len() + other.terms.len() - both;
        if all == 0 { 0.0 } else { both as f32 / all as f32 }
    }

    /// The share of its terms that `other` has, too.
    #[expect(clippy::cast_precision_loss, reason = "counts of terms")]
    pub(super) fn held_by(&self, other: &Self) -> f32 {
        if self.terms.is_empty() {
            return 1.0;
        }
        self.terms.intersection(&other.terms).count() as f32 / self.terms.len() as f32
    }

    /// In what the two cannot say the same; `None` when nothing of that kind stands between them.
    pub(super) fn clash(&self, other: &Self) -> Option<String> {
        if self.exact != other.exact {
            let own: Vec<_> = self.exact.difference(&other.exact).map(|term| shown(term)).collect();
            let others: Vec<_> = other.exact.difference(&self.exact).map(|term| shown(term)).collect();
            return Some(format!("numbers or ids differ ({} and {})", listed(&own), listed(&others)));
        }
        if self.negations != other.negations {
            return Some("one of them is negated".to_owned());
        }
        for (a, b) in POLES {
            let poles = |marks: &Self| (marks.words.contains(a), marks.words.contains(b));
            if matches!(
                (poles(self), poles(other)),
                ((true, false), (false, true)) | ((false, true), (true, false))
            ) {
                return Some(format!("one says {a}, the other {b}"));
            }
        }
        let missing =
            |of: &Self, within: &Self| of.names.iter().find(|name| !within.words.contains(*name)).cloned();
        let name = missing(self, other).or_else(|| missing(other, self))?;
        Some(format!("only one of them names {name:?}"))
    }

    /// Marks of several texts together.
    pub(super) fn joined<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut joined = Self::default();
        for marks in all {
            joined.exact.extend(marks.exact.iter().cloned());
            joined.names.extend(marks.names.iter().cloned());
            joined.words.extend(marks.words.iter().cloned());
            joined.terms.extend(marks.terms.iter().cloned());
            joined.negations = joined.negations.max(marks.negations);
        }
        joined
    }

    /// A number, id or name that `source` does not have.
    pub(super) fn invented(&self, source: &Self) -> Option<String> {
        let exact = self.exact.difference(&source.exact).next().map(|term| shown(term).to_owned());
        exact.or_else(|| self.names.iter().find(|name| !source.words.contains(*name)).cloned())
    }

    /// Whether it has a term, as a word or as what is compared letter by letter.
    pub(super) fn has(&self, term: &str) -> bool {
        self.terms.contains(term)
            || self.exact.contains(term)
            || self.words.contains(term.trim_start_matches('='))
    }

    /// Whether a word is a number, id or name that it does not have. A capital at the beginning makes no name.
    pub(super) fn lacks_mark(&self, analyser: &Analyser, word: &str, begins: bool) -> bool {
        let text = if begins { word.to_owned() } else { format!("the {word}") };
        Self::of(analyser, &text).invented(self).is_some()
    }

    /// Whether it is negated as often as `other`.
    pub(super) const fn agrees(&self, other: &Self) -> bool {
        self.negations == other.negations
    }
}

/// Whether a term, which is in lower case and cut where it is long, could stand for another piece as well: one that is
/// longer than a term, and an id or a path with a capital behind its first letter.
fn says_more_than_its_term(piece: &str) -> bool {
    let is_written_exactly = || piece.contains(|c: char| c.is_ascii_digit() || "/_:@#".contains(c));
    piece.chars().nth(LONGEST).is_some()
        || piece.chars().skip(1).any(char::is_uppercase) && is_written_exactly()
}

fn shown(term: &str) -> &str {
    term.trim_start_matches('=')
}

fn listed(terms: &[&str]) -> String {
    if terms.is_empty() { "none".to_owned() } else { terms.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clash(a: &str, b: &str) -> Option<String> {
        let analyser = Analyser::default();
        Marks::of(&analyser, a).clash(&Marks::of(&analyser, b))
    }

    #[test]
    fn what_must_not_be_merged_clashes() {
        for (a, b, word) in [
            ("The shop listens on 8080", "The shop listens on 9090", "8080"),
            ("Use node v18.2", "Use node v18.3", "18.3"),
            ("Two workers are enough", "Three workers are enough", "two"),
            ("The cache is shared", "The cache is not shared", "negated"),
            ("Deploys don't need a tag", "Deploys need a tag", "negated"),
            ("Feature flags are enabled", "Feature flags are disabled", "enabled"),
            ("The owner is Alice", "The owner is Bob", "alice"),
            ("See src/main.rs", "See src/lib.rs", "main.rs"),
            ("The shop listens on 8080", "The shop listens", "8080"),
            ("The token begins with aB3xY", "The token begins with ab3xy", "ab3xy"),
            ("See src/Main.rs", "See src/main.rs", "main.rs"),
            (
                "Fetch https://files.example.com/artifacts/releases/of/the/linux/build/server-alpha.tar",
                "Fetch https://files.example.com/artifacts/releases/of/the/linux/build/server-beta.tar",
                "alpha",
            ),
        ] {
            let found = clash(a, b).unwrap_or_else(|| panic!("{a} / {b}"));
            assert!(found.to_lowercase().contains(word), "{a} / {b}: {found}");
        }
    }

    #[test]
    fn other_words_for_the_same_do_not() {
        for (a, b) in [
            ("The shop listens on port 8080", "Port 8080 is where the shop listens"),
            ("Alice owns billing", "The billing is owned by Alice"),
            ("Deploys don't need a tag", "A tag is not needed for deploys"),
            ("V18.2 is what the CI builds", "The CI builds v18.2"),
        ] {
            assert_eq!(clash(a, b), None, "{a} / {b}");
        }
    }
}
