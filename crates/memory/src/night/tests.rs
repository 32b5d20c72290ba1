//! What a night proposes and refuses, on entries as they come from the store.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use hive_domain::{AgentId, ContextId, MemoryOwner, ProjectId, TrustClass};
use hive_store::{ChangeKind, NightItem};

use super::{
    Asked, GivenFact, Same, Update, Verdict, ask_about, contradict, dedupe, fade, merge, near, probes,
    promote,
};

const PROJECT: ProjectId = ProjectId::DEFAULT;

fn time(day: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + day)
}

fn item(content: &str, day: i64) -> NightItem {
    let id = ContextId::new();
    NightItem {
        id,
        lineage: id,
        owner: MemoryOwner::Project(PROJECT),
        lived_by: None,
        parent: None,
        kind: "fact".to_owned(),
        title: String::new(),
        content: content.to_owned(),
        trust: TrustClass::User,
        valid_from: time(day),
        recorded_at: time(day),
        importance: 0.5,
        guarded: false,
        recalled: (0, None),
        version: 1,
        is_new: true,
        vectors: Vec::new(),
    }
}

fn lesson(agent: AgentId, content: &str) -> NightItem {
    NightItem {
        owner: MemoryOwner::Agent(PROJECT, agent),
        lived_by: Some(agent),
        kind: "lesson".to_owned(),
        trust: TrustClass::Agent,
        ..item(content, 0)
    }
}

/// As if all of them had been asked about, each near each.
fn asked(items: &[NightItem]) -> Asked {
    let facts = items.iter().map(|item| GivenFact { id: item.id, version: item.version }).collect();
    let near = (1..=items.len()).flat_map(|a| (a + 1..=items.len()).map(move |b| (a, b))).collect();
    Asked { facts, near }
}

fn same(ids: &[usize], text: &str) -> Verdict {
    let same = vec![Same { ids: ids.to_vec(), text: text.to_owned(), reason: "r".to_owned() }];
    Verdict { same, updates: Vec::new(), kept: Vec::new() }
}

fn update(old: usize, new: usize) -> Verdict {
    let updates = vec![Update { old, new, reason: "r".to_owned() }];
    Verdict { same: Vec::new(), updates, kept: Vec::new() }
}

fn why(change: &hive_store::NightChange) -> &str {
    assert_eq!(change.kind, ChangeKind::Refused, "{change:?}");
    assert!(change.born.is_none() && change.retired.is_empty(), "{change:?}");
    &change.reason
}

#[test]
fn a_merge_names_its_sources_and_lifts_no_trust() {
    let items = [item("The shop listens on port 8080", 2), item("Port 8080 is where the shop listens", 1)];
    let text = "The shop listens on port 8080";
    let changes = merge(&items, &asked(&items), &same(&[1, 2], text));
    let born = changes[0].born.as_ref().unwrap();
    assert_eq!((&*born.content, born.trust, born.valid_from), (text, TrustClass::User, time(1)));
    assert_eq!(changes[0].sources, [(items[0].id, 1), (items[1].id, 1)]);
    assert_eq!(changes[0].retired, [(items[0].id, 1), (items[1].id, 1)]);
    // Believed differently: the one that is believed most stands as it is.
    let mut mixed = items.clone();
    mixed[1].trust = TrustClass::External;
    let changes = merge(&mixed, &asked(&mixed), &same(&[1, 2], text));
    assert!(changes[0].born.is_none());
    assert_eq!(
        (&changes[0].sources, &changes[0].retired),
        (&vec![(mixed[0].id, 1)], &vec![(mixed[1].id, 1)])
    );
}

#[test]
fn a_merge_that_must_not_be_is_refused() {
    let items = [item("The shop listens on port 8080", 1), item("Port 8080 is where the shop listens", 2)];
    let all = asked(&items);
    for (text, word) in [
        ("The shop listens on port 9090", "9090"),
        ("The shop listens on a port", "8080"),
        ("The shop listens not on port 8080", "negated"),
        ("Port 8080 is closed", "loses most"),
        ("The shop of Bob listens on port 8080", "bob"),
    ] {
        let changes = merge(&items, &all, &same(&[1, 2], text));
        assert!(why(&changes[0]).contains(word), "{text}: {changes:?}");
    }
    let owned = [item("Refunds are reviewed by Alice", 1), item("It is Alice who reviewed refunds", 2)];
    let nobody = merge(&owned, &asked(&owned), &same(&[1, 2], "Refunds are reviewed"));
    assert!(why(&nobody[0]).contains("alice"), "{nobody:?}");
    let text = "The shop listens on port 8080";
    let far = Asked { near: BTreeSet::new(), ..all.clone() };
    assert!(why(&merge(&items, &far, &same(&[1, 2], text))[0]).contains("not near"));
    let mut locked = items.clone();
    locked[0].guarded = true;
    assert!(why(&merge(&locked, &all, &same(&[1, 2], text))[0]).contains("pinned or locked"));
    let mut others = items.clone();
    others[1].owner = MemoryOwner::Org;
    assert!(why(&merge(&others, &all, &same(&[1, 2], text))[0]).contains("owners"));
    // Changed since it was asked about.
    let mut changed = items.clone();
    changed[1].version = 2;
    assert!(merge(&changed, &all, &same(&[1, 2], text)).is_empty());
}

#[test]
fn what_was_overtaken_is_closed_where_the_later_one_begins() {
    let items = [item("The queue holds 500 entries", 1), item("The queue holds 900 entries", 5)];
    let all = asked(&items);
    let changes = contradict(&items, &[], &all, &update(1, 2));
    let closed = changes[0].born.as_ref().unwrap();
    assert_eq!((&closed.content, closed.valid_to), (&items[0].content, Some(time(5))));
    assert_eq!((closed.superseded_by, closed.lineage), (Some(items[1].id), Some(items[0].id)));
    assert_eq!((closed.vectors_of, closed.trust), (Some(items[0].id), TrustClass::User));
    // Without the later one there is nothing that overtook it.
    assert_eq!(changes[0].sources, [(items[0].id, 1), (items[1].id, 1)]);
    assert!(why(&contradict(&items, &[], &all, &update(2, 1))[0]).contains("not the older"));
    let mut tied = items.clone();
    tied[1].valid_from = tied[0].valid_from;
    assert!(why(&contradict(&tied, &[], &all, &update(1, 2))[0]).contains("not the older"));
    let mut less = items.clone();
    less[1].trust = TrustClass::External;
    assert!(why(&contradict(&less, &[], &all, &update(1, 2))[0]).contains("believed more"));
    less[0].trust = TrustClass::Agent;
    assert!(why(&contradict(&less, &[], &all, &update(1, 2))[0]).contains("believed more"));
    let things = [item("Server alpha-1 has 64 GB", 1), item("Server alpha-2 has 64 GB", 2)];
    assert!(why(&contradict(&things, &[], &asked(&things), &update(1, 2))[0]).contains("different things"));
    // The later one was merged meanwhile.
    let merged = [items[0].clone(), item("The queue holds 900 entries now", 5)];
    let changes = contradict(&merged, &[(items[1].id, merged[1].id)], &all, &update(1, 2));
    assert_eq!(changes[0].born.as_ref().unwrap().superseded_by, Some(merged[1].id));
}

#[test]
fn a_lesson_of_three_agents_rises_and_nothing_that_fewer_know() {
    let [a, b, c] = [AgentId::new(), AgentId::new(), AgentId::new()];
    let said = "Warm the cache before measuring latency";
    let lessons = [
        lesson(a, said),
        lesson(b, "warm the cache before measuring latency."),
        lesson(c, "Before measuring latency warm the cache"),
    ];
    let changes = promote(&lessons, PROJECT);
    assert_eq!(changes.len(), 1);
    let born = changes[0].born.as_ref().unwrap();
    assert_eq!(
        (born.owner, born.trust, changes[0].sources.len()),
        (MemoryOwner::Project(PROJECT), TrustClass::Agent, 3)
    );
    assert!(changes[0].retired.is_empty(), "each keeps its own");

    // Three entries of two agents.
    let twice = [lesson(a, said), lesson(a, said), lesson(b, said)];
    assert!(promote(&twice, PROJECT).is_empty());
    // Each has a word of its own that is nobody's business.
    let private = [
        lesson(a, "Warm the cache before measuring latency for acme"),
        lesson(b, "Warm the cache before measuring latency for globex"),
        lesson(c, "Warm the cache before measuring latency for initech"),
    ];
    let changes = promote(&private, PROJECT);
    assert!(why(&changes[0]).contains("fewer than three"), "{changes:?}");
    // One of them says no more than all know: it rises, and nothing of the others.
    let one = [private[0].clone(), private[1].clone(), lesson(c, said)];
    let changes = promote(&one, PROJECT);
    assert_eq!(changes[0].born.as_ref().unwrap().content, said);
    // The project knows it already.
    let mut known = one.to_vec();
    known.push(NightItem { kind: "lesson".to_owned(), ..item(said, 0) });
    assert!(promote(&known, PROJECT).is_empty());
}

#[test]
fn what_is_pinned_or_locked_is_neither_merged_nor_asked_about_nor_faded() {
    let mut items = [item("Tea is at four", 1), item("tea is at four.", 2), item("Tea is at four!", 3)];
    items[1].guarded = true;
    let changes = dedupe(&items);
    assert_eq!(changes[0].sources, [(items[1].id, 1)], "it is the one that stays");
    assert_eq!(changes[0].retired, [(items[0].id, 1), (items[2].id, 1)]);
    let mut pair = [item("The queue holds 500 entries", 1), item("The queue holds 900 entries", 2)];
    assert_eq!(near(&pair, &HashSet::new()).len(), 1);
    pair[0].guarded = true;
    assert!(near(&pair, &HashSet::new()).is_empty());
    pair[0].guarded = false;
    pair.iter_mut().for_each(|item| item.is_new = false);
    assert!(near(&pair, &HashSet::new()).is_empty(), "what was asked about is not asked about again");
    let mut old = [item("Looked around", 0), item("Keep this", 0)];
    old[1].guarded = true;
    let faded = fade(&old, time(2_000));
    assert_eq!(faded.len(), 1);
    assert_eq!(faded[0].retired, [(old[0].id, 1)]);
    assert!(fade(&old, time(10)).is_empty());
}

#[test]
fn questions_ask_for_the_number_and_do_not_hold_it() {
    let items = [item("The checkout service listens on port 8101", 1), item("9", 1)];
    let asked = probes(&items);
    assert_eq!(asked.len(), 1);
    assert_eq!((&*asked[0].question, asked[0].evidence), ("checkout service listens port", items[0].id));
}

#[test]
fn what_a_night_failed_over_is_asked_about_by_itself_and_then_left_out() {
    let items = [
        item("The deploy wants the flag canary", 1),
        item("The deploy wants the canary flag", 2),
        item("Tea is served by Ada at four", 1),
        item("At four tea is served by Ada", 2),
    ];
    let none = HashSet::new();
    let clusters = near(&items, &none);
    assert_eq!((clusters.len(), ask_about(&items, &clusters, &none).len()), (2, 1));
    let failed = HashSet::from([items[0].id]);
    let asked = ask_about(&items, &clusters, &failed);
    assert_eq!(asked.len(), 2, "nobody else is blamed for it");
    assert_eq!(asked[0].1.facts.iter().map(|fact| fact.id).collect::<Vec<_>>(), [items[0].id, items[1].id]);
    let left = near(&items, &failed);
    assert_eq!((left.len(), &left[0].members[..]), (1, &[2, 3][..]));
}
