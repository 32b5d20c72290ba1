//! The lists that a search is fused of: by words and by meaning, each over entries and over windows of two.

use super::{Index, NONE, rows::Sought, scratch::Scratch};
use crate::analyse::Sought as Term;

/// How fast further mentions of a term stop to count.
const K1: f32 = 1.2;
/// How far a long entry is held against it.
const B: f32 = 0.75;

/// Among fewer vectors all are compared in the form of bytes.
const FEW: usize = 2_000;
/// How many are compared so of those whose bits are the likeliest.
const LIKELY: usize = 500;

/// What the reader may see, in figures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Corpus {
    pub(super) count: f32,
    pub(super) mean_length: f32,
}

impl Index {
    /// Adds up BM25 of all that is seen into the scratch, for entries and for windows of an entry and its predecessor,
    /// and the share of exact terms. Returns what an entry of mean length gets that holds each term once; terms that no
    /// entry holds are counted, since nothing that is found has to do with them.
    pub(super) fn weigh_words(&self, query: &str, corpus: Corpus, scratch: &mut Scratch) -> f32 {
        let terms = self.analyser.sought(query);
        let exact: f32 = terms.iter().filter(|term| term.exact).map(|_| 1.0).sum();
        let mut possible = 0.0;
        for Term { term, weight, exact: is_exact } in &terms {
            let postings = match self.lexicon.get(&**term) {
                Some(number) => &self.postings[*number as usize][..],
                None => &[],
            };
            #[expect(clippy::cast_precision_loss, reason = "a count of entries")]
            let holding = postings.iter().filter(|posting| scratch.sees(posting.slot)).count() as f32;
            let rarity = weight * (1.0 + (corpus.count - holding + 0.5) / (holding + 0.5)).ln();
            possible += rarity;
            if holding == 0.0 {
                continue;
            }
            for posting in postings {
                let at = posting.slot as usize;
                if !scratch.sees(posting.slot) {
                    continue;
                }
                let hot = &self.hot[at];
                let part = rarity * saturation(posting.count, hot.length, corpus.mean_length);
                scratch.text[at] += part;
                if *is_exact {
                    scratch.exact[at] += 1.0 / exact;
                }
                if !hot.linked {
                    scratch.text_window[at] += part;
                    continue;
                }
                let Some(slot) = &self.slots[at] else { continue };
                for &window in slot.next.iter().chain([&posting.slot]) {
                    if scratch.sees(window) {
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
                let before = self.seen_before(slot.previous, scratch).map_or(0, |slot| slot.length);
                let mean = if before == 0 { corpus.mean_length } else { 2.0 * corpus.mean_length };
                scratch.text_window[at] += rarity * saturation(count, slot.length + before, mean);
            }
        }
        possible
    }

    pub(super) fn seen_before(&self, previous: u32, scratch: &Scratch) -> Option<&super::Slot> {
        if previous == NONE || !scratch.sees(previous) { None } else { self.slot(previous) }
    }

    /// The candidates whose vectors are the nearest, at most `most`, best first.
    pub(super) fn nearest(&self, sought: &Sought, candidates: &[u32], most: usize) -> Vec<u32> {
        let likely = if candidates.len() > FEW { Some(self.likely(sought, candidates)) } else { None };
        let (mut slots, rows) = self.rows_of(likely.as_deref().unwrap_or(candidates));
        let mut cosines = self.rows.similarities(sought, &rows);
        best_of_each(&mut slots, &mut cosines, f32::max);
        let mut scored: Vec<(f32, u32)> = cosines.into_iter().zip(slots).collect();
        best_first(&mut scored, most);
        scored.into_iter().map(|(_, slot)| slot).collect()
    }

    /// Those whose bits differ least. A vector of 384 numbers has 385 possible distances, so they are counted and not
    /// sorted.
    fn likely(&self, sought: &Sought, candidates: &[u32]) -> Vec<u32> {
        let (mut slots, rows) = self.rows_of(candidates);
        let mut distances = self.rows.distances(sought, &rows);
        best_of_each(&mut slots, &mut distances, u32::min);
        let mut having = vec![0_usize; self.rows.most_distance() + 1];
        for distance in &distances {
            having[*distance as usize] += 1;
        }
        let mut sum = 0;
        let within = having.iter().position(|count| {
            sum += count;
            sum >= LIKELY
        });
        let within = within.map_or(u32::MAX, |within| u32::try_from(within).unwrap_or(u32::MAX));
        slots
            .into_iter()
            .zip(distances)
            .filter(|(_, distance)| *distance <= within)
            .map(|(slot, _)| slot)
            .collect()
    }

    /// The rows of entries, and beside each whose it is. What has several comes several times in a row.
    fn rows_of(&self, entries: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let (mut slots, mut rows) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len()));
        for &number in entries {
            let hot = &self.hot[number as usize];
            if hot.row == NONE {
                continue;
            }
            if !hot.chunked {
                slots.push(number);
                rows.push(hot.row);
            } else if let Some(slot) = self.slot(number) {
                slots.extend(slot.rows.iter().map(|_| number));
                rows.extend(&slot.rows);
            }
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
    pub(super) fn window_cosine(
        &self,
        sought: &Sought,
        at: u32,
        (own, row): (f32, u32),
        scratch: &Scratch,
    ) -> f32 {
        let previous = self.slot(at).map_or(NONE, |slot| slot.previous);
        if previous == NONE || !scratch.sees(previous) {
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

/// Leaves one figure for each slot, the better of those that stand side by side.
fn best_of_each<T: Copy>(slots: &mut Vec<u32>, figures: &mut Vec<T>, better: impl Fn(T, T) -> T) {
    let mut kept = 0;
    for at in 0..slots.len() {
        if kept > 0 && slots[kept - 1] == slots[at] {
            figures[kept - 1] = better(figures[kept - 1], figures[at]);
        } else {
            (slots[kept], figures[kept]) = (slots[at], figures[at]);
            kept += 1;
        }
    }
    slots.truncate(kept);
    figures.truncate(kept);
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
