//! What was overtaken: it is closed where the later one begins, and stays to be read as it was then.

use std::collections::HashMap;

use hive_domain::{ContextId, TrustClass};
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
        sources: vec![old.id],
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
    if new.trust < old.trust && old.trust >= TrustClass::User {
        return Some("what a person said is not overtaken by what is believed less".to_owned());
    }
    let (before, after) = (super::words_of(old), super::words_of(new));
    let (a, b) = (Marks::of(analyser, &before), Marks::of(analyser, &after));
    if a.clash(&b).is_none() && a.terms == b.terms {
        return Some("they say the same".to_owned());
    }
    (is_about_others(&before, &after)).then(|| "they give the same value to different things".to_owned())
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
