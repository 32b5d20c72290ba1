//! Entries that may say the same, or the opposite: by the engine's own index, by words and by meaning, so that a model is
//! asked about few of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hive_domain::{MemoryOwner, MemoryReader, ProjectId};
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

/// Clusters of entries that are near each other, each with at least one that is new. Pinned and locked ones are left out.
#[must_use]
pub fn near(items: &[NightItem]) -> Vec<Near> {
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
    let mut pairs = BTreeSet::new();
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
            let meaning = cosine(item, peer).is_some_and(|cosine| cosine >= NEAR_COSINE);
            if meaning || marks[at].shared(&marks[&other]) >= NEAR_WORDS {
                pairs.insert((other.min(*at), other.max(*at)));
            }
        }
    }
    clusters(&pairs)
}

fn is_fit(item: &NightItem) -> bool {
    !item.guarded && is_settled(&item.kind) && item.content.len() <= LONGEST
}

/// What is linked by pairs, in the order of the first of each; cut where too much hangs together.
fn clusters(pairs: &BTreeSet<(usize, usize)>) -> Vec<Near> {
    let mut links: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (a, b) in pairs {
        links.entry(*a).or_default().push(*b);
        links.entry(*b).or_default().push(*a);
    }
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for start in links.keys() {
        let mut waiting = vec![*start];
        let mut cluster = Near::default();
        while let Some(at) = waiting.pop() {
            if !seen.insert(at) {
                continue;
            }
            if cluster.members.len() == MOST_TOGETHER {
                found.push(std::mem::take(&mut cluster));
            }
            cluster.members.push(at);
            waiting.extend(links[&at].iter().rev().filter(|next| !seen.contains(*next)));
        }
        if !cluster.members.is_empty() {
            found.push(cluster);
        }
    }
    for cluster in &mut found {
        cluster.members.sort_unstable();
        let within = |at: &usize| cluster.members.binary_search(at).is_ok();
        cluster.pairs = pairs.iter().filter(|(a, b)| within(a) && within(b)).copied().collect();
    }
    found.retain(|cluster| !cluster.pairs.is_empty());
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
    fn clusters_are_cut_and_keep_the_pairs_within() {
        let chain: BTreeSet<(usize, usize)> = (0..30).map(|at| (at, at + 1)).chain([(40, 41)]).collect();
        let found = clusters(&chain);
        assert!(found.iter().all(|cluster| cluster.members.len() <= MOST_TOGETHER));
        assert_eq!(found.iter().map(|cluster| cluster.members.len()).sum::<usize>(), 33);
        assert_eq!(found.last().unwrap().pairs, BTreeSet::from([(40, 41)]));
    }
}
