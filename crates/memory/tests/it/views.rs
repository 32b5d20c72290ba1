//! What an index keeps of one search for the next.

use std::collections::BTreeSet;

use hive_domain::{AgentId, ContextId, MemoryOwner, MemoryReader, MemoryScope, MemoryVersionId};
use hive_memory::index::{Entry, Filter, Index, Query};
use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use crate::bed::{NOW, OURS, PROJECT, READER, entry, id, ids, query};

/// Something that happens to an entry.
#[derive(Clone, Debug)]
enum Step {
    Put { number: u32, own: bool, from: i64, to: Option<i64>, night: Option<bool> },
    Remove(u32),
    Recall(u32, u64),
    Night(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = 0_u32..12;
    let put =
        (number.clone(), any::<bool>(), -3_i64..3, proptest::option::of(-3_i64..4), any::<Option<bool>>());
    let step = prop_oneof![
        4 => put.prop_map(|(number, own, from, to, night)| {
            Step::Put { number, own, from: NOW + from, to: to.map(|to| NOW + to), night }
        }),
        1 => number.clone().prop_map(Step::Remove),
        1 => (number, 1_u64..9).prop_map(|(number, count)| Step::Recall(number, count)),
        1 => any::<bool>().prop_map(Step::Night),
    ];
    vec(step, 1..30)
}

fn apply(index: &mut Index, step: &Step, agent: AgentId, night: MemoryVersionId) {
    match *step {
        Step::Put { number, own, from, to, night: of_night } => {
            let owner = if own { MemoryOwner::Agent(PROJECT, agent) } else { OURS };
            let vectors = vec![vec![1.0, number as f32], vec![number as f32, 1.0]];
            let text = format!("port {number}");
            let mut entry = Entry { owner, vectors, ..entry(number, &text) };
            (entry.about.valid_from, entry.about.valid_to) = (from, to);
            entry.about.importance = 0.1 * (number % 3) as f32;
            entry.about.born = (of_night == Some(true)).then_some(night);
            entry.about.died = (of_night == Some(false)).then_some(night);
            index.put(entry);
        }
        Step::Remove(number) => drop(index.remove(id(number))),
        Step::Recall(number, count) => index.set_recalled(id(number), count, NOW),
        Step::Night(is_active) => index.set_version(night, is_active),
    }
}

proptest! {
    /// An index that was searched after each step finds what one finds that is searched for the first time.
    #[test]
    fn nothing_that_is_kept_outlives_a_change(steps in steps()) {
        let (agent, night) = (AgentId::from(Uuid::from_u128(7)), MemoryVersionId::from(Uuid::from_u128(8)));
        let readers = [READER, MemoryReader { agent: Some(agent), ..READER }];
        let filters =
            [Filter::default(), Filter { with_faded: true, scopes: vec![MemoryScope::Agent], ..Filter::default() }];
        let mut kept = Index::new(2);
        for done in 1..=steps.len() {
            apply(&mut kept, &steps[done - 1], agent, night);
            let mut anew = Index::new(2);
            steps[..done].iter().for_each(|step| apply(&mut anew, step, agent, night));
            // Forth and back, and far away, where what nobody recalls has faded.
            for at in [NOW - 2, NOW, NOW + 2, NOW - 1, NOW + 10 * 365 * 86_400_000_000] {
                for (reader, filter) in readers.iter().flat_map(|reader| filters.iter().map(move |f| (reader, f))) {
                    let vector = [0.6, 0.8];
                    let query = Query { reader: *reader, filter: filter.clone(), at, ..query("port 3", Some(&vector)) };
                    prop_assert_eq!(kept.search(&query), anew.search(&query));
                }
            }
        }
    }
}

/// Of entries of several chunks each is found once, by the nearest of them.
#[test]
fn the_nearest_chunk_of_many_entries_is_found() {
    let mut index = Index::new(8);
    let direction = |seed: u32| -> Vec<f32> {
        let numbers: Vec<f32> =
            (0..8).map(|at| ((seed >> at & 1) as f32 - 0.5) * (1.0 + at as f32 / 8.0)).collect();
        let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
        numbers.iter().map(|x| x / length).collect()
    };
    for number in 0..1_500 {
        // The first chunk of all points away from what is sought.
        let second = if number % 100 == 0 { 0b1010_0101 } else { 0b0101_0000 | (number & 0b1010) };
        index.put(Entry { vectors: vec![direction(0b0101_1010), direction(second)], ..entry(number, "") });
    }
    let sought = direction(0b1010_0101);
    let found = ids(&index.search(&Query { most: 15, ..query("", Some(&sought)) }));
    let near: BTreeSet<ContextId> = (0..15).map(|number| id(100 * number)).collect();
    assert_eq!(found.len(), 15, "each once");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), near);
}
