//! What says the same in the same words: one of them stays, and nobody is asked.

use std::{cmp::Reverse, collections::BTreeMap};

use hive_domain::ContextId;
use hive_store::{ChangeKind, NightChange, NightItem};

/// Entries of one owner that say the same but for case, spaces and the punctuation around words. The one that stays is a
/// pinned or locked one, else the one that is believed most, else the oldest, which is as fresh then
/// as the freshest of them; nothing else about it changes.
#[must_use]
pub fn dedupe(items: &[NightItem]) -> Vec<NightChange> {
    let mut alike: BTreeMap<(String, Option<ContextId>, String), Vec<&NightItem>> = BTreeMap::new();
    for item in items.iter().filter(|item| is_settled(&item.kind)) {
        let key = (format!("{:?}", item.owner), item.parent, plain(&super::words_of(item)));
        alike.entry(key).or_default().push(item);
    }
    let mut changes = Vec::new();
    for mut same in alike.into_values().filter(|same| same.len() > 1) {
        same.sort_by_key(|item| (Reverse(item.guarded), Reverse(item.trust), item.valid_from, item.id));
        let stays = same[0];
        let retired: Vec<(ContextId, i32)> =
            same[1..].iter().filter(|item| !item.guarded).map(|item| (item.id, item.version)).collect();
        if !retired.is_empty() {
            changes.push(NightChange {
                kind: ChangeKind::Merged,
                born: None,
                retired,
                sources: vec![(stays.id, stays.version)],
                reason: "they say the same in the same words".to_owned(),
            });
        }
    }
    changes
}

/// Whether entries of a kind say something by themselves: a turn of a conversation does not.
pub(super) fn is_settled(kind: &str) -> bool {
    !matches!(kind, "episode" | "working")
}

/// What is compared. What holds a digit keeps its case, since it may be an id.
fn plain(text: &str) -> String {
    let words = text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let words = words.filter(|word| !word.is_empty()).map(|word| {
        if word.chars().any(|c| c.is_ascii_digit()) { word.to_owned() } else { word.to_lowercase() }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_punctuation_are_no_difference_and_signs_within_a_word_are() {
        assert_eq!(plain("The shop  listens on 8080."), plain("the Shop listens, on 8080"));
        assert_ne!(plain("key aB3"), plain("key ab3"));
        assert_ne!(plain("a-b is c"), plain("a b is c"));
    }
}
