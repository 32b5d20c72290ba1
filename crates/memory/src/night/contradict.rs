//! What was overtaken: it is closed where the later one begins, and stays to be read as it was then.

use std::collections::HashMap;

use hive_domain::ContextId;
use hive_store::{ChangeKind, NightChange, NightEntry, NightItem};

use super::{Asked, Update, Verdict, marks::Marks, refused};
use crate::analyse::Analyser;

/// The changes that follow from an answer. The row of the older entry is retired; one that says the same, and holds until
/// the later one, stands in its place. `heirs` says what stands for the later one, when it was merged meanwhile. So what held then is still answered, and taking the night back opens it again.
#[must_use]
pub fn contradict(
    items: &[NightItem],
    heirs: &[(ContextId, ContextId)],
    asked: &Asked,
    verdict: &Verdict,
) -> Vec<NightChange> {
    let analyser = Analyser::default();
    let by_id: HashMap<ContextId, &NightItem> = items.iter().map(|item| (item.id, item)).collect();
    let changes = verdict.updates.iter().filter_map(|update| one(&analyser, &by_id, heirs, asked, update));
    changes.collect()
}

fn one(
    analyser: &Analyser,
    by_id: &HashMap<ContextId, &NightItem>,
    heirs: &[(ContextId, ContextId)],
    asked: &Asked,
    update: &Update,
) -> Option<NightChange> {
    let read = |number: usize| {
        let fact = asked.facts.get(number - 1)?;
        by_id.get(&fact.id).copied().filter(|item| item.version == fact.version)
    };
    let stands_for = |number: usize| {
        let merged = asked.facts.get(number - 1)?.id;
        heirs.iter().find(|(old, _)| *old == merged).and_then(|(_, heir)| by_id.get(heir)).copied()
    };
    let (old, new) = (read(update.old)?, read(update.new).or_else(|| stands_for(update.new))?);
    let pair = (update.old.min(update.new), update.old.max(update.new));
    if let Some(why) = objection(analyser, old, new, asked.near.contains(&pair)) {
        return Some(refused(&[old, new], &format!("not superseded: {why}")));
    }
    let born = NightEntry {
        id: ContextId::new(),
        lineage: Some(old.lineage),
        owner: old.owner,
        parent: old.parent,
        kind: old.kind.clone(),
        title: old.title.clone(),
        content: old.content.clone(),
        trust: old.trust,
        origin: None,
        valid_from: old.valid_from,
        valid_to: Some(new.valid_from),
        superseded_by: Some(new.id),
        importance: old.importance,
        vectors_of: Some(old.id),
    };
    Some(NightChange {
        kind: ChangeKind::Superseded,
        born: Some(born),
        retired: vec![(old.id, old.version)],
        sources: vec![(old.id, old.version), (new.id, new.version)],
        reason: format!("overtaken by {}: {}", new.id, update.reason),
    })
}

fn objection(analyser: &Analyser, old: &NightItem, new: &NightItem, near: bool) -> Option<String> {
    if old.owner != new.owner || old.parent != new.parent {
        return Some("they belong to different owners".to_owned());
    }
    if old.guarded || new.guarded {
        return Some("one of them is pinned or locked".to_owned());
    }
    if !near {
        return Some("they are not near each other".to_owned());
    }
    if old.valid_from >= new.valid_from {
        return Some("the one that is to be overtaken is not the older one".to_owned());
    }
    if new.trust < old.trust {
        return Some("it is believed more than what is to overtake it".to_owned());
    }
    let (before, after) = (super::words_of(old), super::words_of(new));
    let (a, b) = (Marks::of(analyser, &before), Marks::of(analyser, &after));
    if a.clash(&b).is_none() && a.terms == b.terms {
        return Some("they say the same".to_owned());
    }
    if is_about_others(&before, &after) {
        return Some("they give the same value to different things".to_owned());
    }
    differs_in_more_than_a_value(analyser, (&before, &a), (&after, &b))
}

/// What besides the one value that was overtaken sets them apart: another number, id or name, or, where each has words of
/// its own, more than one of them. Then it may be another thing that they speak of.
fn differs_in_more_than_a_value(
    analyser: &Analyser,
    (before, a): (&str, &Marks),
    (after, b): (&str, &Marks),
) -> Option<String> {
    let (own, others) = (apart(analyser, before, b), apart(analyser, after, a));
    for (words, text, within) in [(&own, before, b), (&others, after, a)] {
        let begins = |word: &str| text.trim_start().starts_with(word);
        let mut marked = words.iter().filter(|word| within.lacks_mark(analyser, word, begins(word)));
        if let (Some(one), Some(other)) = (marked.next(), marked.next()) {
            return Some(format!("they differ in {one:?} and in {other:?}, which are two things"));
        }
    }
    match (&own[..], &others[..]) {
        ([_, second, ..], [_, _, ..]) => Some(format!("they differ in more than a value, as in {second:?}")),
        _ => None,
    }
}

/// Words of a text that another one lacks, in their order.
fn apart<'a>(analyser: &Analyser, text: &'a str, other: &Marks) -> Vec<&'a str> {
    let words = text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    words.filter(|word| analyser.terms(word).iter().any(|term| !other.has(term))).collect()
}

/// Whether the texts differ in what they are about, and agree in the number that they end with.
fn is_about_others(a: &str, b: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let words = text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
        words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let (a, b) = (words(a), words(b));
    let common: Vec<&String> =
        a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).map(|(x, _)| x).collect();
    common.len() < a.len().min(b.len()) && common.iter().any(|word| word.chars().any(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart_in(a: &str, b: &str) -> Option<String> {
        let analyser = Analyser::default();
        let (of_a, of_b) = (Marks::of(&analyser, a), Marks::of(&analyser, b));
        differs_in_more_than_a_value(&analyser, (a, &of_a), (b, &of_b))
    }

    #[test]
    fn one_value_may_change_and_nothing_besides() {
        for (a, b) in [
            ("The orders queue holds 500 entries", "The orders queue holds 900 entries"),
            ("The release branch is called trunk", "The release branch is called harvest"),
            ("The billing owner is Alice", "The billing owner is Bob"),
            ("The deploy script lives in tools/ship.sh", "The deploy script lives in tools/launch.sh"),
            ("The queue holds 500 entries", "Currently the queue holds 900 entries"),
            ("The cache is shared by all workers", "The cache is not shared by all workers"),
            ("The main database runs on Postgres 15.2", "The main database runs on Postgres 17"),
        ] {
            assert_eq!(apart_in(a, b), None, "{a} / {b}");
        }
        for (a, b) in [
            ("The invoices service listens on 8080", "The orders service listens on 9090"),
            ("The billing owner of Acme is Alice", "The billing owner of Globex is Bob"),
            ("Server alpha-1 has 64 GB", "Server alpha-2 has 16 GB"),
            ("The queue holds 500 entries", "The queue of Acme holds 900 entries"),
            ("The amber anvil belongs to the blue team", "The brisk anvil belongs to the red team"),
        ] {
            assert!(apart_in(a, b).is_some(), "{a} / {b}");
        }
    }

    #[test]
    fn a_value_of_two_things_is_no_update() {
        assert!(is_about_others("Server alpha-1 has 16 GB.", "Server alpha-2 has 16 GB"));
        assert!(!is_about_others("The shop listens on 8080", "The shop listens on 9090"));
        assert!(!is_about_others(
            "The shop uses Postgres 15 for orders",
            "The shop uses Postgres 16 for orders"
        ));
    }
}
