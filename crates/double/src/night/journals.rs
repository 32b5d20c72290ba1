//! Journals: the sentences that say what is needed, wanted or learnt.

use serde_json::{Value, json};

use super::{Given, Manner};

/// Words that make a sentence worth keeping.
const SIGNS: [&str; 10] = [
    " need",
    " must ",
    " always ",
    " never ",
    "lesson",
    " without ",
    " prefer",
    " decided",
    " requires ",
    " only works",
];
/// Those that make it a lesson.
const LESSONS: [&str; 5] = [" need", "lesson", " without ", " requires ", " only works"];
/// Sentences that are neither.
const LENGTHS: std::ops::RangeInclusive<usize> = 15..=300;
/// Facts of one excerpt.
const MOST: usize = 10;

pub(super) fn draw(given: &[Given], manner: Manner) -> Value {
    let drawn = given.iter().map(|excerpt| {
        let facts = if manner == Manner::Flood { flood(&excerpt.text) } else { sentences(&excerpt.text) };
        json!({ "id": excerpt.id, "facts": facts })
    });
    json!({ "excerpts": drawn.collect::<Vec<_>>() })
}

fn sentences(text: &str) -> Vec<Value> {
    let sentences = text.split(['\n', ';']).flat_map(|line| line.split(". "));
    let kept = sentences.map(str::trim).filter(|sentence| LENGTHS.contains(&sentence.len())).filter_map(
        |sentence| {
            let lower = format!(" {} ", sentence.to_lowercase());
            let has = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
            let kind = if has(&LESSONS) { "lesson" } else { "fact" };
            has(&SIGNS)
                .then(|| json!({ "text": sentence.trim_end_matches('.'), "kind": kind, "importance": 0.6 }))
        },
    );
    kept.take(MOST).collect()
}

/// The words of the first sentence over and over, each time from another one on and in both directions.
fn flood(text: &str) -> Vec<Value> {
    let first = text.split('.').next().unwrap_or_default();
    let words: Vec<&str> =
        first.split_whitespace().filter(|word| !["The", "the", "a"].contains(word)).take(30).collect();
    let backwards: Vec<&str> = words.iter().rev().copied().collect();
    let turned = [words, backwards]
        .into_iter()
        .flat_map(|words| (0..words.len()).map(move |at| [&words[at..], &words[..at]].concat().join(" ")));
    let facts =
        turned.map(|once| json!({ "text": format!("{once} {once}"), "kind": "fact", "importance": 1.0 }));
    facts.take(MOST).collect()
}
