//! A search: lists by words and by meaning, fused into one order.

use std::collections::BTreeSet;

use hive_domain::{ContextId, MemoryReader};

use super::{
    Filter, Index,
    lists::best_first,
    order::Ranked,
    rows::Sought,
    scratch::{Scratch, Words},
    view::View,
};
use crate::fuse::{Candidate, Parts, Weights, normalise};

/// How many of each list are candidates of the fused one.
const DEPTH: usize = 100;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// In words.
    pub text: &'a str,
    /// Its vector, in the space of the index; without one the search is by words alone.
    pub vector: Option<&'a [f32]>,
    /// Who asks.
    pub reader: MemoryReader,
    /// What held at this time, in microseconds since 1970.
    pub at: i64,
    /// What it is narrowed to.
    pub filter: Filter,
    /// How much each list counts.
    pub weights: Weights,
    /// How many are wanted.
    pub most: usize,
}

/// An entry that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Its id.
    pub id: ContextId,
    /// How well it fits; comparable within one search only. Of two that say nearly the same the newer has the score of
    /// the better.
    pub score: f32,
    /// What that is made of, each from 0 to 1.
    pub parts: Parts,
    /// The cosine with the query, if it has a vector.
    pub cosine: Option<f32>,
    /// BM25.
    pub bm25: f32,
}

impl Index {
    /// The best entries, best first. What has neither a word in common nor a vector near is not among them.
    #[must_use]
    pub fn search(&self, query: &Query<'_>) -> Vec<Found> {
        let mut scratch = self.take_scratch();
        let found = self.search_with(query, &mut scratch);
        self.keep_scratch(scratch);
        found
    }

    fn search_with(&self, query: &Query<'_>, scratch: &mut Scratch) -> Vec<Found> {
        let view = &*self.view(&query.reader, query.at, &query.filter);
        if view.count == 0 {
            return Vec::new();
        }
        let possible = self.weigh_words(query.text, view, scratch);
        let sought =
            query.vector.filter(|vector| self.rows.fits(vector)).map(|vector| self.rows.seek(vector));
        let depth = DEPTH.max(query.most);
        let chosen = self.choose(sought.as_ref(), view, depth, scratch);
        let raw: Vec<Candidate> = chosen
            .iter()
            .map(|slot| self.candidate(sought.as_ref(), *slot, query.at, view, scratch))
            .collect();
        let mut fitted = raw.clone();
        normalise(&mut fitted, possible);
        let mut order: Vec<(f32, u32)> =
            (0_u32..).zip(&fitted).map(|(at, one)| (one.score(&query.weights), at)).collect();
        best_first(&mut order, chosen.len());
        let mut found: Vec<Ranked> = order
            .into_iter()
            .filter_map(|(score, at)| {
                let (slot, own) = (chosen[at as usize], raw[at as usize].own);
                let cosine = Some(own.vector).filter(|cosine| !cosine.is_nan());
                let (id, parts) = (self.slot(slot)?.id, fitted[at as usize].parts());
                Some(Ranked { slot, found: Found { id, score, parts, cosine, bm25: own.text } })
            })
            .collect();
        self.settle(&mut found);
        found.truncate(query.most);
        found.into_iter().map(|ranked| ranked.found).collect()
    }

    /// The union of the best of each list, in the order of their ids.
    fn choose(&self, sought: Option<&Sought>, view: &View, depth: usize, scratch: &Scratch) -> Vec<u32> {
        let mut chosen = BTreeSet::new();
        for score in [|words: Words| words.text, |words: Words| words.text_window] {
            let wanted = scratch.met.iter().filter(|slot| view.wants(**slot));
            let scored = wanted.map(|slot| (score(scratch.words(*slot)), *slot));
            let mut scored: Vec<(f32, u32)> = scored.filter(|(score, _)| *score > 0.0).collect();
            best_first(&mut scored, depth);
            chosen.extend(scored.into_iter().map(|(_, slot)| slot));
        }
        if let Some(sought) = sought {
            let mut near = self.nearest(sought, view, depth);
            // What follows something near is near by its window.
            let after: Vec<u32> =
                near.iter().filter_map(|slot| self.slot(*slot)).flat_map(|slot| slot.next.clone()).collect();
            near.extend(after.into_iter().filter(|slot| view.wants(*slot)));
            chosen.extend(near);
        }
        let mut chosen: Vec<u32> = chosen.into_iter().collect();
        // Slots are given by chance; ids are the same in every process.
        chosen.sort_unstable_by_key(|slot| self.slot(*slot).map(|slot| slot.id));
        chosen
    }

    fn candidate(
        &self,
        sought: Option<&Sought>,
        slot: u32,
        time: i64,
        view: &View,
        scratch: &Scratch,
    ) -> Candidate {
        let own = self.parts(sought, slot, time, view, scratch);
        let Some(at) = self.slot(slot) else { return Candidate { own, ..Candidate::default() } };
        let question = self.seen_before(at.previous, view).filter(|before| before.asks);
        let asked = question.map(|_| self.parts(sought, at.previous, time, view, scratch));
        Candidate { own, asked, asks: at.asks }
    }

    fn parts(&self, sought: Option<&Sought>, slot: u32, time: i64, view: &View, scratch: &Scratch) -> Parts {
        let words = scratch.words(slot);
        let near = sought.and_then(|sought| Some((sought, self.nearest_row(sought, slot)?)));
        let window = near.map(|(sought, own)| self.window_cosine(sought, slot, own, view));
        Parts {
            text: words.text,
            text_window: words.text_window,
            vector: near.map_or(f32::NAN, |(_, (cosine, _))| cosine),
            vector_window: window.unwrap_or(f32::NAN),
            exact: words.exact,
            strength: self.slot(slot).map_or(0.0, |slot| slot.strength(time)).clamp(0.0, 1.0),
        }
    }
}
