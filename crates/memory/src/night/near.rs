//! Entries that may say the same, or the opposite: by the engine's own index, by words and by meaning, so that a model is
//! asked about few of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use hive_domain::{ContextId, MemoryOwner, MemoryReader, ProjectId};
use hive_store::NightItem;

use super::{dedupe::is_settled, marks::Marks};
use crate::{
    analyse::Analyser,
    fuse::Weights,
    index::{About, Entry, Filter, Index, Query},
};

/// From this cosine on two entries are near each other.
const NEAR_COSINE: f32 = 0.78;
/// From this share of common terms on they are, whatever their vectors say.
const NEAR_WORDS: f32 = 0.5;
/// Neighbours of an entry that are looked at.
const NEIGHBOURS: usize = 6;
/// A longer entry is no single fact, and is not asked about.
const LONGEST: usize = 1_500;
/// Entries of one cluster that are asked about together; a larger one is cut.
const MOST_TOGETHER: usize = 12;

/// Entries that hang together, by their places, and which of them are near each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Near {
    /// The places of the entries.
    pub members: Vec<usize>,
    /// Pairs of places.
    pub pairs: BTreeSet<(usize, usize)>,
}

/// Clusters of entries that are near each other, each with at least one that is new. Pinned and locked ones are left out,
/// and those that nights failed over too often.
#[must_use]
pub fn near(items: &[NightItem], given_up: &HashSet<ContextId>) -> Vec<Near> {
    let is_fit = |item: &NightItem| is_fit(item) && !given_up.contains(&item.id);
    let fit: Vec<usize> = (0..items.len()).filter(|at| is_fit(&items[*at])).collect();
    let dimensions = fit.iter().find_map(|at| items[*at].vectors.first().map(Vec::len)).unwrap_or(1);
    let (mut index, mut places) = (Index::new(dimensions), HashMap::new());
    for at in &fit {
        let item = &items[*at];
        places.insert(item.id, *at);
        index.put(Entry {
            id: item.id,
            owner: item.owner,
            text: &super::words_of(item),
            vectors: item.vectors.clone(),
            about: about(item),
        });
    }
    let analyser = Analyser::default();
    let marks: HashMap<usize, Marks> =
        fit.iter().map(|at| (*at, Marks::of(&analyser, &super::words_of(&items[*at])))).collect();
    let mut pairs = BTreeMap::new();
    for at in fit.iter().filter(|at| items[**at].is_new) {
        let item = &items[*at];
        let found = index.search(&Query {
            text: &super::words_of(item),
            vector: item.vectors.first().map(Vec::as_slice),
            reader: reader(item.owner),
            at: i64::MAX - 1,
            filter: Filter { with_faded: true, ..Filter::default() },
            weights: Weights::default(),
            most: NEIGHBOURS,
        });
        for other in found.into_iter().filter_map(|found| places.get(&found.id).copied()) {
            let peer = &items[other];
            if other == *at || peer.owner != item.owner || peer.parent != item.parent {
                continue;
            }
            let meaning = cosine(item, peer).unwrap_or(0.0);
            let words = marks[at].shared(&marks[&other]);
            if meaning >= NEAR_COSINE || words >= NEAR_WORDS {
                pairs.insert((other.min(*at), other.max(*at)), meaning.max(words));
            }
        }
    }
    clusters(&pairs)
}

fn is_fit(item: &NightItem) -> bool {
    !item.guarded && is_settled(&item.kind) && item.content.len() <= LONGEST
}

/// What hangs together by pairs. The nearest pairs come first: where too much hangs together, it is cut at the weakest.
fn clusters(pairs: &BTreeMap<(usize, usize), f32>) -> Vec<Near> {
    let mut nearest: Vec<(&(usize, usize), &f32)> = pairs.iter().collect();
    nearest.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let mut of: HashMap<usize, usize> = HashMap::new();
    let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
    for ((a, b), _) in nearest {
        let (one, other) = (*of.entry(*a).or_insert(*a), *of.entry(*b).or_insert(*b));
        let own = members.entry(one).or_insert_with(|| vec![one]).len();
        let others = members.entry(other).or_insert_with(|| vec![other]).len();
        if one == other || own + others > MOST_TOGETHER {
            continue;
        }
        let moved = members.remove(&other).unwrap_or_default();
        of.extend(moved.iter().map(|member| (*member, one)));
        members.entry(one).or_default().extend(moved);
    }
    let mut found: Vec<Near> = members
        .into_values()
        .map(|mut members| {
            members.sort_unstable();
            let within = |at: &usize| members.binary_search(at).is_ok();
            let pairs = pairs.keys().filter(|(a, b)| within(a) && within(b)).copied().collect();
            Near { members, pairs }
        })
        .filter(|cluster| !cluster.pairs.is_empty())
        .collect();
    found.sort_unstable_by(|a, b| a.members.cmp(&b.members));
    found
}

/// The cosine of two entries by their first vectors.
pub(super) fn cosine(a: &NightItem, b: &NightItem) -> Option<f32> {
    let (a, b) = (a.vectors.first()?, b.vectors.first()?);
    if a.len() != b.len() {
        return None;
    }
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let length = (dot(a, a) * dot(b, b)).sqrt();
    (length > 0.0).then(|| dot(a, b) / length)
}

/// Who sees what is the owner's.
pub(super) fn reader(owner: MemoryOwner) -> MemoryReader {
    MemoryReader {
        project: owner.project().unwrap_or(ProjectId::DEFAULT),
        session: owner.session(),
        agent: owner.agent(),
    }
}

/// As the index takes it; it holds at all times, since what is near does not depend on them.
fn about(item: &NightItem) -> About {
    About {
        kind: item.kind.clone(),
        trust: item.trust,
        parent: item.parent,
        follows: None,
        valid_from: i64::MIN,
        valid_to: None,
        recorded_at: item.recorded_at.timestamp_micros(),
        born: None,
        died: None,
        importance: item.importance,
        pinned: false,
        recalled: (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_cut_at_the_weakest_and_keep_the_pairs_within() {
        let mut pairs: BTreeMap<(usize, usize), f32> = (0..29).map(|at| ((at, at + 1), 0.5)).collect();
        // Of a long chain these two are the nearest, wherever it is cut.
        pairs.insert((11, 12), 0.9);
        pairs.insert((40, 41), 0.5);
        let found = clusters(&pairs);
        assert!(found.iter().all(|cluster| cluster.members.len() <= MOST_TOGETHER), "{found:?}");
        assert!(found.iter().any(|cluster| cluster.pairs.contains(&(11, 12))), "{found:?}");
        assert_eq!(found.last().unwrap().pairs, BTreeSet::from([(40, 41)]));
    }
}
