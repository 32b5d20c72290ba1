//! An index by itself.

use std::collections::BTreeSet;

use hive_domain::{AgentId, MemoryOwner, MemoryReader, MemoryVersionId, TrustClass};
use hive_memory::{
    fuse::Weights,
    index::{About, Entry, Filter, Index, Query},
};

use crate::bed::{NOW, PROJECT, READER, about, entry, id, ids, query, words};

/// Numbers that look random and are the same each time.
fn noise(seed: u32, dims: usize) -> Vec<f32> {
    let mut state = u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut numbers: Vec<f32> = (0..dims)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as f32 / (1_u64 << 31) as f32) - 0.5
        })
        .collect();
    unit(&mut numbers);
    numbers
}

fn unit(numbers: &mut [f32]) {
    let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
    numbers.iter_mut().for_each(|x| *x /= length);
}

#[test]
fn rare_words_weigh_more_and_long_texts_less() {
    let mut index = Index::new(2);
    for number in 0..20 {
        index.put(entry(number, "the service was deployed"));
    }
    index.put(entry(20, "the service was rotated"));
    index.put(entry(
        21,
        &format!("the certificate was rotated {}", "and much more was told about it ".repeat(30)),
    ));
    assert_eq!(words(&index, "service rotation")[..2], [id(20), id(21)]);
    assert_eq!(words(&index, "certificates"), [id(21)]);
    assert!(words(&index, "unheard").is_empty());
    assert!(words(&index, "the was and").is_empty(), "stop words find nothing");
}

/// BM25 by its definition, over a handful of texts.
#[test]
fn scores_are_those_of_the_formula() {
    let mut index = Index::new(2);
    for (number, text) in [(0, "red apple red"), (1, "green apple"), (2, "blue plum pie tart")] {
        index.put(entry(number, text));
    }
    let found = index.search(&query("red apple", None));
    let idf = |holding: f32| (1.0 + (3.0 - holding + 0.5) / (holding + 0.5)).ln();
    let part = |count: f32, length: f32| count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / 3.0));
    let expected = idf(1.0) * part(2.0, 3.0) + idf(2.0) * part(1.0, 3.0);
    assert_eq!(found[0].id, id(0));
    assert!((found[0].bm25 - expected).abs() < 1e-5, "{} instead of {expected}", found[0].bm25);
}

#[test]
fn the_one_before_lends_its_words() {
    let mut index = Index::new(2);
    let after = |number| About { follows: Some(id(number)), ..about() };
    // The later one comes first: it waits for its predecessor.
    index.put(Entry { about: after(0), ..entry(1, "Yes, on Tuesday") });
    index.put(entry(0, "When does the migration run?"));
    index.put(entry(2, "Something else on Friday"));
    let found = index.search(&query("migration day", None));
    assert_eq!(ids(&found), [id(0), id(1)]);
    assert!(found[1].parts.text_window > 0.0 && found[1].bm25 == 0.0);
    index.remove(id(0));
    assert!(words(&index, "migration day").is_empty());
    index.put(entry(0, "When does the migration run?"));
    assert_eq!(words(&index, "migration day"), [id(0), id(1)]);
}

#[test]
fn nothing_of_others_is_found_or_weighs() {
    let (a, b) = (AgentId::new(), AgentId::new());
    let own = |agent| MemoryOwner::Agent(PROJECT, agent);
    let mut index = Index::new(4);
    let secret = [1.0, 0.0, 0.0, 0.0];
    index.put(Entry {
        owner: own(b),
        vectors: vec![vec![0.0, 1.0, 0.0, 0.0]],
        ..entry(1, "gate opens left")
    });
    index.put(Entry { vectors: vec![vec![0.1, 0.99, 0.0, 0.0]], ..entry(2, "gate is green") });
    let ask = |index: &Index, agent| {
        let reader = MemoryReader { agent: Some(agent), ..READER };
        index.search(&Query { reader, ..query("vault code gate", Some(&secret)) })
    };
    let before = ask(&index, b);
    index.put(Entry { owner: own(a), vectors: vec![secret.to_vec()], ..entry(0, "vault code gate") });
    assert_eq!(ask(&index, b), before, "not by a hair");
    assert_eq!(ask(&index, a)[0].id, id(0));
    assert!(!ids(&ask(&index, a)).contains(&id(1)));
}

#[test]
fn time_nights_and_filters_hold() {
    let mut index = Index::new(2);
    let night = MemoryVersionId::new();
    let with = |number, change: fn(&mut About)| {
        let mut about = about();
        change(&mut about);
        Entry { about, ..entry(number, "port") }
    };
    index.put(with(0, |about| about.valid_to = Some(NOW)));
    index.put(with(1, |about| about.valid_from = NOW));
    let mut brought = with(2, |_| ());
    brought.about.born = Some(night);
    index.put(brought);
    let mut retired = with(3, |_| ());
    retired.about.died = Some(night);
    index.put(retired);
    index.put(with(4, |about| about.kind = "note".to_owned()));
    index.put(with(5, |about| about.trust = TrustClass::External));
    index.put(with(6, |about| about.recorded_at = NOW - 10 * 365 * 86_400_000_000));
    let found = |index: &Index, at, filter: Filter| -> BTreeSet<u32> {
        let found = ids(&index.search(&Query { at, filter, ..query("port", None) }));
        (0..7).filter(|number| found.contains(&id(*number))).collect()
    };
    let all = Filter::default;
    assert_eq!(found(&index, NOW, all()), [1, 3, 4, 5].into());
    assert_eq!(found(&index, NOW - 1, all()), [0, 3, 4, 5].into());
    index.set_version(night, true);
    assert_eq!(found(&index, NOW, all()), [1, 2, 4, 5].into());
    index.set_version(night, false);
    assert_eq!(found(&index, NOW, Filter { with_faded: true, ..all() }), [1, 3, 4, 5, 6].into());
    index.set_recalled(id(6), 1, NOW);
    assert_eq!(found(&index, NOW, all()), [1, 3, 4, 5, 6].into(), "one recall brings it back");
    assert_eq!(found(&index, NOW, Filter { kinds: vec!["note".to_owned()], ..all() }), [4].into());
    let trusted = Filter { least_trust: Some(TrustClass::Agent), ..all() };
    assert_eq!(found(&index, NOW, trusted), [1, 3, 4, 6].into());
}

#[test]
fn what_changes_is_changed_and_what_goes_leaves_nothing() {
    let mut index = Index::new(2);
    for number in 0..50 {
        index.put(Entry {
            vectors: vec![vec![1.0, 0.0]; 2],
            ..entry(number, &format!("apple number{number}"))
        });
    }
    index.put(entry(7, "pear"));
    assert_eq!(words(&index, "pear"), [id(7)]);
    assert!(words(&index, "number7").is_empty());
    for number in 0..50 {
        assert!(index.remove(id(number)));
        assert!(!index.remove(id(number)));
    }
    assert!(index.is_empty());
    let near = index.search(&query("apple pear", Some(&[1.0, 0.0])));
    assert!(near.is_empty());
    index.put(Entry { vectors: vec![vec![0.0, 1.0]], ..entry(0, "plum") });
    assert_eq!(ids(&index.search(&query("x", Some(&[0.0, 1.0])))), [id(0)]);
}

/// Many vectors are narrowed down by their signs first; hardly any of the nearest may be lost by that.
#[test]
fn the_nearest_of_many_are_those_of_an_exact_comparison() {
    let (dims, count) = (128, 8_000_u32);
    let mut index = Index::new(dims);
    let centres: Vec<Vec<f32>> = (0..400).map(|seed| noise(seed, dims)).collect();
    let vector = |number: u32| {
        let mut vector: Vec<f32> = centres[(number % 400) as usize]
            .iter()
            .zip(noise(10_000 + number, dims))
            .map(|(c, n)| c + 0.8 * n)
            .collect();
        unit(&mut vector);
        vector
    };
    let vectors: Vec<Vec<f32>> = (0..count).map(vector).collect();
    for (number, vector) in (0..count).zip(&vectors) {
        index.put(Entry { vectors: vec![vector.clone()], ..entry(number, "") });
    }
    let weights =
        Weights { vector: 1.0, text: 0.0, text_window: 0.0, vector_window: 0.0, exact: 0.0, strength: 0.0 };
    let (mut hits, queries) = (0, 50);
    for number in 0..queries {
        let mut sought: Vec<f32> = centres[number as usize]
            .iter()
            .zip(noise(90_000 + number, dims))
            .map(|(c, n)| c + 0.6 * n)
            .collect();
        unit(&mut sought);
        let cosine = |at: u32| vectors[at as usize].iter().zip(&sought).map(|(a, b)| a * b).sum::<f32>();
        let mut exact: Vec<u32> = (0..count).collect();
        exact.sort_by(|a, b| cosine(*b).total_cmp(&cosine(*a)));
        let found = ids(&index.search(&Query { weights, ..query("", Some(&sought)) }));
        hits += exact[..10].iter().filter(|at| found.contains(&id(**at))).count();
    }
    assert!(hits >= 490, "{hits} of 500");
    let per_entry = index.bytes() / count as usize;
    assert!(per_entry < 1_000, "{per_entry} bytes for an entry without words");
}
