//! The lists that a search is fused of: by words and by meaning, each over entries and over windows of two.

use std::collections::HashMap;

use super::{Index, NONE, rows::Sought, scratch::Scratch, view::View};
use crate::analyse::Sought as Term;

/// How fast further mentions of a term stop to count.
const K1: f32 = 1.2;
/// How far a long entry is held against it.
const B: f32 = 0.75;

/// Among fewer vectors all are compared in the form of bytes.
const FEW: usize = 2_000;
/// How many are compared so of those whose bits are the likeliest.
const LIKELY: usize = 800;
/// Distances that are looked through together.
const GROUP: usize = 32;

/// What the reader may see, in figures.
#[derive(Clone, Copy, Debug)]
struct Corpus {
    count: f32,
    mean_length: f32,
}

impl Corpus {
    #[expect(clippy::cast_precision_loss, reason = "a count of entries, and a mean of lengths")]
    fn of(view: &View) -> Self {
        Self { count: view.count as f32, mean_length: view.length as f32 / view.count.max(1) as f32 }
    }
}

impl Index {
    /// Adds up BM25 of all that is seen into the scratch, for entries and for windows of an entry and its predecessor,
    /// and the share of exact terms. Returns what an entry of mean length gets that holds each term once; terms that no
    /// entry holds are counted, since nothing that is found has to do with them.
    pub(super) fn weigh_words(&self, query: &str, view: &View, scratch: &mut Scratch) -> f32 {
        let corpus = Corpus::of(view);
        let terms = self.analyser.sought(query);
        let exact: f32 = terms.iter().filter(|term| term.exact).map(|_| 1.0).sum();
        let mut possible = 0.0;
        for Term { term, weight, exact: is_exact } in &terms {
            let postings = match self.lexicon.get(&**term) {
                Some(number) => &self.postings[*number as usize][..],
                None => &[],
            };
            #[expect(clippy::cast_precision_loss, reason = "a count of entries")]
            let holding = postings.iter().filter(|posting| view.sees(posting.slot)).count() as f32;
            let rarity = weight * (1.0 + (corpus.count - holding + 0.5) / (holding + 0.5)).ln();
            possible += rarity;
            if holding == 0.0 {
                continue;
            }
            for posting in postings {
                let at = posting.slot as usize;
                if !view.sees(posting.slot) {
                    continue;
                }
                let hot = &self.hot[at];
                let part = rarity * saturation(posting.count, hot.length, corpus.mean_length);
                let words = scratch.words_mut(posting.slot);
                words.text += part;
                if *is_exact {
                    words.exact += 1.0 / exact;
                }
                if !hot.linked {
                    words.text_window += part;
                    continue;
                }
                let Some(slot) = &self.slots[at] else { continue };
                for &window in slot.next.iter().chain([&posting.slot]) {
                    if view.sees(window) {
                        if scratch.window_counts[window as usize] == 0 {
                            scratch.touched.push(window);
                        }
                        scratch.window_counts[window as usize] += posting.count;
                    }
                }
            }
            while let Some(window) = scratch.touched.pop() {
                let at = window as usize;
                let count = std::mem::take(&mut scratch.window_counts[at]);
                let Some(slot) = &self.slots[at] else { continue };
                let before = self.seen_before(slot.previous, view).map_or(0, |slot| slot.length);
                let mean = if before == 0 { corpus.mean_length } else { 2.0 * corpus.mean_length };
                scratch.words_mut(window).text_window +=
                    rarity * saturation(count, slot.length + before, mean);
            }
        }
        possible
    }

    pub(super) fn seen_before(&self, previous: u32, view: &View) -> Option<&super::Slot> {
        if previous == NONE || !view.sees(previous) { None } else { self.slot(previous) }
    }

    /// What of the view has the nearest vectors, at most `most`, best first.
    pub(super) fn nearest(&self, sought: &Sought, view: &View, most: usize) -> Vec<u32> {
        if view.rows.len() <= FEW {
            return self.nearest_among(sought, view, &view.slots, &view.rows, most);
        }
        let (slots, rows) = self.likely(sought, view);
        self.nearest_among(sought, view, &slots, &rows, most)
    }

    fn nearest_among(
        &self,
        sought: &Sought,
        view: &View,
        slots: &[u32],
        rows: &[u32],
        most: usize,
    ) -> Vec<u32> {
        let mut scored: Vec<(f32, u32)> =
            self.rows.similarities(sought, rows).zip(slots.iter().copied()).collect();
        if view.chunked {
            // The best chunk of each stays.
            scored.sort_unstable_by(|a, b| a.1.cmp(&b.1).then(b.0.total_cmp(&a.0)));
            scored.dedup_by_key(|(_, slot)| *slot);
        }
        best_first(&mut scored, most);
        scored.into_iter().map(|(_, slot)| slot).collect()
    }

    /// The slots and rows of those whose bits differ least. A vector of 384 numbers has 385 possible distances, so they are
    /// counted and not sorted.
    fn likely(&self, sought: &Sought, view: &View) -> (Vec<u32>, Vec<u32>) {
        let distances = self.rows.distances(sought, &view.rows);
        let mut having = vec![0_usize; self.rows.most_distance() + 1];
        if view.chunked {
            let mut nearest = HashMap::new();
            for (slot, distance) in view.slots.iter().zip(&distances) {
                let least = nearest.entry(*slot).or_insert(*distance);
                *least = (*least).min(*distance);
            }
            nearest.into_values().for_each(|distance| having[usize::from(distance)] += 1);
        } else {
            distances.iter().for_each(|distance| having[usize::from(*distance)] += 1);
        }
        let mut sum = 0;
        let within = having.iter().position(|count| {
            sum += count;
            sum >= LIKELY
        });
        let within = within.and_then(|within| u16::try_from(within).ok()).unwrap_or(u16::MAX);
        let (mut slots, mut rows) = (Vec::with_capacity(LIKELY), Vec::with_capacity(LIKELY));
        for (number, group) in distances.chunks(GROUP).enumerate() {
            // Hardly any has one, and this is told of all of them at once.
            if !group.iter().fold(false, |any, distance| any | (*distance <= within)) {
                continue;
            }
            for (at, distance) in group.iter().enumerate() {
                if *distance <= within {
                    slots.push(view.slots[GROUP * number + at]);
                    rows.push(view.rows[GROUP * number + at]);
                }
            }
        }
        if view.chunked {
            // Of what has one near chunk all are compared.
            slots.dedup();
            let entries = slots.iter().filter_map(|number| Some((*number, self.slot(*number)?)));
            return entries
                .flat_map(|(number, slot)| slot.rows.iter().map(move |row| (number, *row)))
                .unzip();
        }
        (slots, rows)
    }

    /// The cosine of the chunk that is the nearest, and its row; `None` without a vector.
    pub(super) fn nearest_row(&self, sought: &Sought, slot: u32) -> Option<(f32, u32)> {
        let hot = &self.hot[slot as usize];
        if hot.row == NONE {
            return None;
        }
        if !hot.chunked {
            return Some((self.rows.similarity(sought, hot.row), hot.row));
        }
        let rows = self.slot(slot)?.rows.iter();
        rows.map(|row| (self.rows.similarity(sought, *row), *row)).max_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// The cosine of the mean of an entry's vector, of which the nearest row is known, and its predecessor's, where it has
    /// one that is seen.
    pub(super) fn window_cosine(&self, sought: &Sought, at: u32, (own, row): (f32, u32), view: &View) -> f32 {
        let previous = self.slot(at).map_or(NONE, |slot| slot.previous);
        if previous == NONE || !view.sees(previous) {
            return own;
        }
        let Some((other, other_row)) = self.nearest_row(sought, previous) else { return own };
        // The mean of two vectors of length 1 is shorter, the more they differ.
        let length = (2.0 + 2.0 * self.rows.between(row, other_row)).max(1e-6).sqrt();
        (own + other) / length
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of words")]
fn saturation(count: u32, length: u32, mean_length: f32) -> f32 {
    let count = count as f32;
    let norm = 1.0 - B + B * length as f32 / mean_length.max(1.0);
    count * (K1 + 1.0) / (count + K1 * norm)
}

/// Sorts the best `most` to the front and drops the rest. Equal ones keep an order that does not depend on chance.
pub(super) fn best_first(scored: &mut Vec<(f32, u32)>, most: usize) {
    let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if scored.len() > most && most > 0 {
        scored.select_nth_unstable_by(most - 1, order);
    }
    scored.truncate(most);
    scored.sort_unstable_by(order);
}
