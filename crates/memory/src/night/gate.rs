//! The gate: questions that the memory must answer after a night as well as before it. They are made from what it holds
//! before the night changes anything, without a model, and no model sees them.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use hive_domain::{ContextId, MemoryOwner, MemoryVersionId};
use hive_store::{FeedEntry, NightItem, NightProbe};
use sha2::{Digest as _, Sha256};

use super::{dedupe::is_settled, marks::Marks, near::reader};
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

/// The share of the words of a retired entry that what answers for it must hold.
const HELD: f32 = 0.6;

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
    /// Entries that it closes since a later one overtook them: their questions need no answer any more.
    pub overtaken: &'a [ContextId],
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

/// For each question, whether it is answered before and after; one whose evidence was overtaken counts as answered after
/// as it was before. What stands for an entry answers for it only if it holds its numbers, ids and names and most of its
/// words. `vectors` are those of the questions; one without is asked by words alone.
#[must_use]
pub fn score(gate: &Gate<'_>, probes: &[NightProbe], vectors: &[Vec<f32>]) -> Vec<(bool, bool)> {
    let mut index = Index::new(gate.dimensions);
    for entry in gate.entries {
        put(&mut index, entry);
        if let Some(born) = entry.born.filter(|born| *born != gate.version) {
            index.set_version(born, true);
        }
    }
    let heirs = heirs(gate);
    let before: Vec<bool> = ask(&index, gate, probes, vectors, &heirs);
    index.set_version(gate.version, true);
    let after = ask(&index, gate, probes, vectors, &heirs);
    let overtaken: HashSet<ContextId> = gate.overtaken.iter().copied().collect();
    let answered = before.into_iter().zip(after).zip(probes).map(|((before, after), probe)| {
        let explained = before && !after && !standing_for(probe.evidence, &heirs).is_disjoint(&overtaken);
        (before, after || explained)
    });
    answered.collect()
}

/// What answers for each entry that the night retires.
fn heirs(gate: &Gate<'_>) -> HashMap<ContextId, Vec<ContextId>> {
    let analyser = Analyser::default();
    let texts: HashMap<ContextId, &FeedEntry> = gate.entries.iter().map(|entry| (entry.id, entry)).collect();
    let marks = |id: &ContextId| {
        texts.get(id).map(|entry| Marks::of(&analyser, &format!("{}: {}", entry.title, entry.content)))
    };
    let mut heirs: HashMap<ContextId, Vec<ContextId>> = HashMap::new();
    for (old, heir) in gate.heirs {
        let holds = marks(old)
            .zip(marks(heir))
            .is_some_and(|(old, heir)| old.invented(&heir).is_none() && old.held_by(&heir) >= HELD);
        if holds || gate.overtaken.contains(old) {
            heirs.entry(*old).or_default().push(*heir);
        }
    }
    heirs
}

/// An entry with all that answers for it.
fn standing_for(evidence: ContextId, heirs: &HashMap<ContextId, Vec<ContextId>>) -> HashSet<ContextId> {
    let (mut found, mut waiting) = (HashSet::new(), vec![evidence]);
    while let Some(id) = waiting.pop() {
        if found.insert(id) {
            waiting.extend(heirs.get(&id).into_iter().flatten().copied());
        }
    }
    found
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
        let evidence = standing_for(probe.evidence, heirs);
        found.iter().any(|found| evidence.contains(&found.id))
    });
    asked.collect()
}

#[cfg(test)]
mod tests {
    use hive_domain::{ProjectId, TrustClass};

    use super::*;

    const OWNER: MemoryOwner = MemoryOwner::Project(ProjectId::DEFAULT);

    fn entry(content: &str) -> FeedEntry {
        FeedEntry {
            id: ContextId::new(),
            owner: OWNER,
            parent: None,
            follows: None,
            kind: "fact".to_owned(),
            title: String::new(),
            content: content.to_owned(),
            trust: TrustClass::Agent,
            valid_from: DateTime::UNIX_EPOCH,
            valid_to: None,
            recorded_at: DateTime::UNIX_EPOCH,
            born: None,
            died: None,
            importance: 0.5,
            pinned: true,
            recalled: None,
            vectors: Vec::new(),
        }
    }

    /// The question for the first entry, which a night retired for the second one.
    fn asked(old: &str, new: &str, is_overtaken: bool) -> (bool, bool) {
        let version = MemoryVersionId::new();
        let (mut old, mut new) = (entry(old), entry(new));
        old.died = Some(version);
        new.born = Some(version);
        let (heirs, overtaken) = ([(old.id, new.id)], if is_overtaken { vec![old.id] } else { Vec::new() });
        let probe = NightProbe { question: "billing owner".to_owned(), evidence: old.id };
        let entries = [old, new];
        let gate = Gate {
            owner: OWNER,
            version,
            entries: &entries,
            heirs: &heirs,
            overtaken: &overtaken,
            dimensions: 1,
            at: DateTime::UNIX_EPOCH + chrono::TimeDelta::days(1),
        };
        score(&gate, &[probe], &[])[0]
    }

    #[test]
    fn what_stands_for_an_entry_answers_for_it_only_if_it_holds_what_that_said() {
        let said = "The billing owner is Alice since 2024";
        assert_eq!(asked(said, "Since 2024 Alice is the billing owner", false), (true, true));
        assert_eq!(asked(said, "The billing owner is Alice", false), (true, false), "a number is lost");
        assert_eq!(asked(said, "The billing owner since 2024 is known", false), (true, false), "a name is");
        assert_eq!(asked(said, "Tea is at four", false), (true, false));
        assert_eq!(
            asked(said, "The billing owner is Bob since 2025", true),
            (true, true),
            "it was overtaken"
        );
        assert_eq!(asked(said, "Tea is at four", true), (true, true), "and needs no answer");
    }
}
