//! Words alone: BM25 over what the asker may hear, with the analyser of the engine and nothing else of it.

use std::collections::HashMap;

use super::{Dataset, Question, Result, Retriever};
use crate::analyse::{Analyser, Count};

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// Words alone.
#[derive(Debug)]
pub struct Bm25<'a> {
    data: &'a Dataset,
    analyser: Analyser,
    terms: Vec<HashMap<String, u32>>,
    lengths: Vec<u32>,
}

impl<'a> Bm25<'a> {
    /// Reads all turns.
    #[must_use]
    pub fn new(data: &'a Dataset) -> Self {
        let analyser = Analyser::default();
        let counts: Vec<(Vec<Count>, u32)> =
            data.turns.iter().map(|turn| analyser.counts(&turn.text)).collect();
        let (terms, lengths) =
            counts.into_iter().map(|(terms, length)| (terms.into_iter().collect(), length)).unzip();
        Self { data, analyser, terms, lengths }
    }

    /// What has a word in common with the question, best first.
    #[must_use]
    pub fn rank(&self, question: &Question) -> Vec<usize> {
        let heard: Vec<usize> =
            (0..self.data.turns.len()).filter(|turn| self.data.may_hear(question, *turn)).collect();
        #[expect(clippy::cast_precision_loss, reason = "counts of turns and words")]
        let (count, length) =
            (heard.len() as f64, heard.iter().map(|turn| u64::from(self.lengths[*turn])).sum::<u64>() as f64);
        let mean = (length / count).max(1.0);
        let (sought, _) = self.analyser.counts(&question.text);
        let mut scores: HashMap<usize, f64> = HashMap::new();
        for (term, _) in &sought {
            let with = |turn: &usize| self.terms[*turn].get(term).map(|times| (*turn, f64::from(*times)));
            let holding: Vec<(usize, f64)> = heard.iter().filter_map(with).collect();
            #[expect(clippy::cast_precision_loss, reason = "a count of turns")]
            let had = holding.len() as f64;
            let rarity = (1.0 + (count - had + 0.5) / (had + 0.5)).ln();
            for (turn, times) in holding {
                let norm = 1.0 - B + B * f64::from(self.lengths[turn]) / mean;
                *scores.entry(turn).or_default() += rarity * times * (K1 + 1.0) / (times + K1 * norm);
            }
        }
        best(scores.into_iter().collect())
    }
}

impl Retriever for Bm25<'_> {
    async fn search(&self, question: &Question) -> Result<Vec<usize>> {
        let mut found = self.rank(question);
        found.truncate(Self::ENOUGH);
        Ok(found)
    }
}

/// Turns in the order of their scores, the earlier first among equals.
pub(super) fn best(mut scored: Vec<(usize, f64)>) -> Vec<usize> {
    scored.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored.into_iter().map(|(turn, _)| turn).collect()
}
