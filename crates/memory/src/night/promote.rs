//! A lesson that several agents learnt rises to their project. What fewer of them know never does, not even as a word.

use std::collections::{BTreeMap, BTreeSet};

use hive_domain::{AgentId, ContextId, MemoryOwner, MemoryScope, ProjectId};
use hive_store::{ChangeKind, NightChange, NightEntry, NightItem};

use super::{marks::Marks, near::cosine, refused};
use crate::analyse::Analyser;

/// Agents that must have learnt it.
const AGENTS: usize = 3;
/// From this cosine on two lessons are the same, if nothing else stands between them.
const SAME_COSINE: f32 = 0.85;
/// From this share of common terms on they are, too.
const SAME_WORDS: f32 = 0.6;

/// The lessons that rise. The text is that of one of them, and each of its words, numbers and names stands in what at least
/// three agents learnt; so nothing that one of them alone knows leaves its memory.
#[must_use]
pub fn promote(lessons: &[NightItem], project: ProjectId) -> Vec<NightChange> {
    let analyser = Analyser::default();
    let owns = |item: &NightItem, scope| item.owner.scope() == scope && item.owner.project() == Some(project);
    let known: Vec<(&NightItem, Marks)> = marked(&analyser, lessons, |item| owns(item, MemoryScope::Project));
    let learnt: Vec<(&NightItem, Marks)> =
        marked(&analyser, lessons, |item| owns(item, MemoryScope::Agent) && item.lived_by.is_some());
    let mut taken = BTreeSet::new();
    let mut changes = Vec::new();
    for at in 0..learnt.len() {
        if taken.contains(&at) {
            continue;
        }
        let group: Vec<usize> = (at..learnt.len())
            .filter(|other| !taken.contains(other) && alike(&learnt[at], &learnt[*other]))
            .collect();
        let agents: BTreeSet<AgentId> =
            group.iter().filter_map(|member| learnt[*member].0.lived_by).collect();
        if agents.len() < AGENTS {
            continue;
        }
        taken.extend(group.iter().copied());
        let group: Vec<&(&NightItem, Marks)> = group.iter().map(|member| &learnt[*member]).collect();
        if known.iter().any(|known| alike(known, group[0])) {
            continue;
        }
        changes.push(rise(&group, &agents, project));
    }
    changes
}

fn marked<'a>(
    analyser: &Analyser,
    lessons: &'a [NightItem],
    wanted: impl Fn(&NightItem) -> bool,
) -> Vec<(&'a NightItem, Marks)> {
    let wanted = lessons.iter().filter(|item| wanted(item));
    wanted.map(|item| (item, Marks::of(analyser, &super::words_of(item)))).collect()
}

fn alike(a: &(&NightItem, Marks), b: &(&NightItem, Marks)) -> bool {
    let near = cosine(a.0, b.0).is_some_and(|cosine| cosine >= SAME_COSINE) || a.1.shared(&b.1) >= SAME_WORDS;
    near && a.1.exact == b.1.exact && a.1.agrees(&b.1)
}

fn rise(group: &[&(&NightItem, Marks)], agents: &BTreeSet<AgentId>, project: ProjectId) -> NightChange {
    let items: Vec<&NightItem> = group.iter().map(|(item, _)| *item).collect();
    let Some(chosen) = group
        .iter()
        .filter(|(_, marks)| is_common(marks, group))
        .map(|(item, _)| *item)
        .min_by_key(|item| (item.content.len(), item.id))
    else {
        return refused(
            &items,
            "not promoted: each of them says something that fewer than three agents know",
        );
    };
    let born = NightEntry {
        id: ContextId::new(),
        lineage: None,
        owner: MemoryOwner::Project(project),
        parent: None,
        kind: "lesson".to_owned(),
        title: chosen.title.clone(),
        content: chosen.content.clone(),
        trust: items.iter().map(|item| item.trust).min().unwrap_or(chosen.trust),
        origin: None,
        valid_from: items.iter().map(|item| item.valid_from).min().unwrap_or(chosen.valid_from),
        valid_to: None,
        superseded_by: None,
        importance: items.iter().map(|item| item.importance).fold(0.0, f32::max),
        vectors_of: Some(chosen.id),
    };
    NightChange {
        kind: ChangeKind::Promoted,
        born: Some(born),
        retired: Vec::new(),
        sources: items.iter().map(|item| (item.id, item.version)).collect(),
        reason: format!("{} agents learnt it by themselves", agents.len()),
    }
}

/// Whether each word, number and name of it stands in what at least three agents learnt.
fn is_common(marks: &Marks, group: &[&(&NightItem, Marks)]) -> bool {
    let mut by_agent: BTreeMap<AgentId, Vec<&Marks>> = BTreeMap::new();
    for (item, marks) in group {
        if let Some(agent) = item.lived_by {
            by_agent.entry(agent).or_default().push(marks);
        }
    }
    let by_agent: Vec<Marks> = by_agent.into_values().map(Marks::joined).collect();
    let known_by =
        |has: &dyn Fn(&Marks) -> bool| by_agent.iter().filter(|marks| has(marks)).count() >= AGENTS;
    marks.terms.iter().all(|term| known_by(&|other| other.terms.contains(term)))
        && marks.exact.iter().all(|term| known_by(&|other| other.exact.contains(term)))
}
