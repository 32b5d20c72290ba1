//! Sentences of texts, and which of them may say what another text says.

use std::collections::BTreeSet;

use crate::analyse::Analyser;

/// Bytes of one passage at most; what is longer is no sentence.
const LONGEST: usize = 400;
/// Bytes of all sources together that are looked through, the latest ones.
const READ: usize = 1 << 20;

/// The sentences of `text`; a line ends one. A dot within a word, a path or a number does not.
#[must_use]
pub fn passages(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut rest = line;
        while !rest.is_empty() {
            let ends = rest.match_indices(['.', '!', '?', ';']).map(|(at, mark)| at + mark.len());
            let mut ends = ends.filter(|end| rest[*end..].chars().next().is_none_or(char::is_whitespace));
            let (passage, behind) = rest.split_at(ends.next().unwrap_or(rest.len()));
            let passage = passage.trim();
            found.push(&passage[..passage.floor_char_boundary(LONGEST)]);
            rest = behind;
        }
    }
    found.retain(|passage| passage.chars().any(char::is_alphanumeric));
    found
}

/// The passages of `sources` that have most terms in common with `text`, at most `most`, best first. Of very long sources
/// the latest are looked through.
#[must_use]
pub fn likeliest(text: &str, sources: &[String], most: usize) -> Vec<String> {
    let analyser = Analyser::default();
    let terms = |text: &str| analyser.terms(text).into_iter().collect::<BTreeSet<String>>();
    let own = terms(text);
    let (mut room, mut seen, mut scored) = (READ, BTreeSet::new(), Vec::new());
    for source in sources.iter().rev() {
        let from = source.ceil_char_boundary(source.len().saturating_sub(room));
        room -= (source.len() - from).min(room);
        for passage in passages(&source[from..]) {
            if seen.insert(passage) {
                scored.push((terms(passage).intersection(&own).count(), passage));
            }
        }
    }
    scored.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
    scored.into_iter().take(most).map(|(_, passage)| passage.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_is_a_sentence_or_a_line() {
        let text = "Run main.rs 1.2.3 first. Then stop!\nport: 6543\n---\n\nIs it on? Yes";
        assert_eq!(
            passages(text),
            ["Run main.rs 1.2.3 first.", "Then stop!", "port: 6543", "Is it on?", "Yes"]
        );
        assert_eq!(passages(""), Vec::<&str>::new());
        let long = "é".repeat(1_000);
        assert_eq!(passages(&long), ["é".repeat(200)]);
    }

    #[test]
    fn the_likeliest_share_most_terms() {
        let sources =
            ["Tea at noon. The port is 6543.".to_owned(), "Ports are closed. The port is 6543.".to_owned()];
        assert_eq!(likeliest("Which port is 6543", &sources, 2), ["The port is 6543.", "Ports are closed."]);
        assert_eq!(likeliest("x", &[], 2), Vec::<String>::new());
    }
}
