//! The gate: questions that the memory must answer after a night as well as before it. They are made from what it holds
//! before the night changes anything, without a model, and no model sees them.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use hive_domain::{ContextId, MemoryOwner, MemoryVersionId};
use hive_store::{FeedEntry, NightItem, NightProbe};
use sha2::{Digest as _, Sha256};

use super::{dedupe::is_settled, near::reader};
use crate::{
    analyse::Analyser,
    engine::put,
    fuse::Weights,
    index::{Filter, Index, Query},
};

/// Questions of a night.
const MOST: usize = 60;
/// Words of a question.
const WORDS: usize = 7;
/// A question is answered when its evidence is among so many.
const RECALL_AT: usize = 5;

/// What questions are asked of.
#[derive(Debug)]
pub struct Gate<'a> {
    /// Whose memory.
    pub owner: MemoryOwner,
    /// What the night makes.
    pub version: MemoryVersionId,
    /// Entries that are visible before or after.
    pub entries: &'a [FeedEntry],
    /// For entries that the night retires, what stands for them.
    pub heirs: &'a [(ContextId, ContextId)],
    /// The length of the vectors.
    pub dimensions: usize,
    /// When it is asked.
    pub at: DateTime<Utc>,
}

/// The questions for a memory: the rarest words of some of its entries, but no numbers or ids, since these are what is
/// asked for. Which entries is chosen by their ids, evenly and the same each time.
#[must_use]
pub fn probes(items: &[NightItem]) -> Vec<NightProbe> {
    let analyser = Analyser::default();
    let mut rarity: HashMap<String, usize> = HashMap::new();
    for item in items {
        let terms: BTreeSet<String> = analyser.terms(&super::words_of(item)).into_iter().collect();
        for term in terms {
            *rarity.entry(term).or_default() += 1;
        }
    }
    let mut chosen: Vec<&NightItem> = items.iter().filter(|item| is_settled(&item.kind)).collect();
    chosen.sort_by_cached_key(|item| Sha256::digest(item.id.uuid().as_bytes()).to_vec());
    let questions = chosen.into_iter().filter_map(|item| {
        let question = question(&analyser, &super::words_of(item), &rarity)?;
        Some(NightProbe { question, evidence: item.id })
    });
    questions.take(MOST).collect()
}

fn question(analyser: &Analyser, text: &str, rarity: &HashMap<String, usize>) -> Option<String> {
    let words = text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let mut words: Vec<(usize, usize, &str)> = words
        .filter(|word| !word.is_empty() && !word.chars().any(|c| c.is_ascii_digit()))
        .enumerate()
        .filter_map(|(at, word)| {
            let term = analyser.terms(word).pop()?;
            Some((rarity.get(&term).copied().unwrap_or(0), at, word))
        })
        .collect();
    words.sort_unstable();
    words.truncate(WORDS);
    words.sort_unstable_by_key(|(_, at, _)| *at);
    let words: Vec<&str> = words.into_iter().map(|(_, _, word)| word).collect();
    (words.len() >= 2).then(|| words.join(" "))
}

/// For each question, whether it is answered before and after. `vectors` are those of the questions; one without is asked
/// by words alone.
#[must_use]
pub fn score(gate: &Gate<'_>, probes: &[NightProbe], vectors: &[Vec<f32>]) -> Vec<(bool, bool)> {
    let mut index = Index::new(gate.dimensions);
    for entry in gate.entries {
        put(&mut index, entry);
        if let Some(born) = entry.born.filter(|born| *born != gate.version) {
            index.set_version(born, true);
        }
    }
    let mut heirs: HashMap<ContextId, Vec<ContextId>> = HashMap::new();
    for (old, heir) in gate.heirs {
        heirs.entry(*old).or_default().push(*heir);
    }
    let before: Vec<bool> = ask(&index, gate, probes, vectors, &heirs);
    index.set_version(gate.version, true);
    let after = ask(&index, gate, probes, vectors, &heirs);
    before.into_iter().zip(after).collect()
}

fn ask(
    index: &Index,
    gate: &Gate<'_>,
    probes: &[NightProbe],
    vectors: &[Vec<f32>],
    heirs: &HashMap<ContextId, Vec<ContextId>>,
) -> Vec<bool> {
    let asked = probes.iter().enumerate().map(|(at, probe)| {
        let found = index.search(&Query {
            text: &probe.question,
            vector: vectors.get(at).map(Vec::as_slice),
            reader: reader(gate.owner),
            at: gate.at.timestamp_micros(),
            filter: Filter::default(),
            weights: Weights::default(),
            most: RECALL_AT,
        });
        let (mut evidence, mut waiting) = (HashSet::new(), vec![probe.evidence]);
        while let Some(id) = waiting.pop() {
            if evidence.insert(id) {
                waiting.extend(heirs.get(&id).into_iter().flatten().copied());
            }
        }
        found.iter().any(|found| evidence.contains(&found.id))
    });
    asked.collect()
}
