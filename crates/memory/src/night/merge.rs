//! What a model takes for the same, and what of it is believed.

use std::{cmp::Reverse, collections::HashMap};

use hive_domain::{ContextId, TrustClass};
use hive_store::{ChangeKind, NightChange, NightEntry, NightItem};

use super::{Asked, Same, Verdict, marks::Marks, refused};
use crate::analyse::Analyser;

/// The share of the terms of each entry that the text for all of them must hold.
const HELD: f32 = 0.6;
/// The share of its own terms that must come from them.
const DRAWN: f32 = 0.75;

/// The changes that follow from an answer: entries that say the same become one, whose trust is the least of theirs. Where
/// they are not believed alike, the ones that are believed most stand as they are and the others go: a merge neither lifts
/// nor lowers what is believed. What a guard refuses, changes nothing and is reported.
#[must_use]
pub fn merge(items: &[NightItem], asked: &Asked, verdict: &Verdict) -> Vec<NightChange> {
    let analyser = Analyser::default();
    let by_id: HashMap<ContextId, &NightItem> = items.iter().map(|item| (item.id, item)).collect();
    let mut changes: Vec<NightChange> =
        verdict.same.iter().filter_map(|same| one(&analyser, &by_id, asked, same)).collect();
    for number in &verdict.kept {
        let item = asked.facts.get(number - 1).and_then(|fact| by_id.get(&fact.id));
        changes.extend(item.map(|item| NightChange {
            kind: ChangeKind::Kept,
            reason: "it was compared with its neighbours and says something else".to_owned(),
            ..refused(&[item], "")
        }));
    }
    changes
}

fn one(
    analyser: &Analyser,
    by_id: &HashMap<ContextId, &NightItem>,
    asked: &Asked,
    same: &Same,
) -> Option<NightChange> {
    if same.ids.len() < 2 {
        return None;
    }
    let found: Option<Vec<&NightItem>> = same
        .ids
        .iter()
        .map(|number| {
            let fact = asked.facts.get(number - 1)?;
            by_id.get(&fact.id).copied().filter(|item| item.version == fact.version)
        })
        .collect();
    // What is gone or changed since is none of this night's.
    let found = found?;
    let marks: Vec<Marks> = found.iter().map(|item| Marks::of(analyser, &super::words_of(item))).collect();
    let text = same.text.trim();
    if let Some(why) = objection(&found, &marks, asked, same, &Marks::of(analyser, text)) {
        return Some(refused(&found, &format!("not merged: {why}")));
    }
    let most = found.iter().map(|item| item.trust).max().unwrap_or(TrustClass::External);
    let reason = format!("they say the same: {}", same.reason);
    if found.iter().any(|item| item.trust < most) {
        let stay =
            found.iter().filter(|item| item.trust == most).map(|item| (item.id, item.version)).collect();
        let go = found.iter().filter(|item| item.trust < most);
        return Some(NightChange {
            kind: ChangeKind::Merged,
            born: None,
            retired: go.map(|item| (item.id, item.version)).collect(),
            sources: stay,
            reason,
        });
    }
    let weightiest = found.iter().min_by_key(|item| (Reverse(hundredths(item.importance)), item.id))?;
    let same_title = found.iter().all(|item| item.title == found[0].title);
    let born = NightEntry {
        id: ContextId::new(),
        lineage: None,
        owner: found[0].owner,
        parent: found[0].parent,
        kind: weightiest.kind.clone(),
        title: if same_title { found[0].title.clone() } else { String::new() },
        content: text.to_owned(),
        trust: most,
        origin: None,
        valid_from: found.iter().map(|item| item.valid_from).min()?,
        valid_to: None,
        superseded_by: None,
        importance: weightiest.importance,
        vectors_of: None,
    };
    Some(NightChange {
        kind: ChangeKind::Merged,
        born: Some(born),
        retired: found.iter().map(|item| (item.id, item.version)).collect(),
        sources: found.iter().map(|item| (item.id, item.version)).collect(),
        reason,
    })
}

/// Why these must not become one, whatever the model says.
fn objection(
    found: &[&NightItem],
    marks: &[Marks],
    asked: &Asked,
    same: &Same,
    text: &Marks,
) -> Option<String> {
    if found.iter().any(|item| item.owner != found[0].owner) {
        return Some("they belong to different owners".to_owned());
    }
    if found.iter().any(|item| item.parent != found[0].parent) {
        return Some("they are parts of different things".to_owned());
    }
    if found.iter().any(|item| item.guarded) {
        return Some("one of them is pinned or locked".to_owned());
    }
    if !hangs_together(&same.ids, asked) {
        return Some("they are not near each other".to_owned());
    }
    for (at, one) in marks.iter().enumerate() {
        if let Some(clash) = marks[at + 1..].iter().find_map(|other| one.clash(other)) {
            return Some(clash);
        }
    }
    let all = Marks::joined(marks);
    if let Some(invented) = text.invented(&all) {
        return Some(format!("the text for them says {invented:?}, which none of them does"));
    }
    if let Some(lost) = all.invented(text) {
        return Some(format!("the text for them loses {lost:?}"));
    }
    if !text.agrees(&marks[0]) {
        return Some("the text for them is negated in another way".to_owned());
    }
    if marks.iter().any(|one| one.held_by(text) < HELD) {
        return Some("the text for them loses most of what one of them says".to_owned());
    }
    if text.held_by(&all) < DRAWN {
        return Some("the text for them says more than they do".to_owned());
    }
    let longest = found.iter().map(|item| super::words_of(item).len()).max().unwrap_or(0);
    (same.text.len() > longest * 2 + 80).then(|| "the text for them is longer than they are".to_owned())
}

/// Whether each is linked with the others by pairs that were near.
fn hangs_together(ids: &[usize], asked: &Asked) -> bool {
    let (mut reached, mut waiting) = (vec![false; ids.len()], vec![0]);
    while let Some(at) = waiting.pop() {
        if std::mem::replace(&mut reached[at], true) {
            continue;
        }
        let near = |other: usize| asked.near.contains(&(ids[at].min(ids[other]), ids[at].max(ids[other])));
        waiting.extend((0..ids.len()).filter(|other| !reached[*other] && near(*other)));
    }
    reached.into_iter().all(|reached| reached)
}

#[expect(clippy::cast_possible_truncation, reason = "importance is 0 to 1")]
fn hundredths(importance: f32) -> i32 {
    (importance * 100.0) as i32
}
