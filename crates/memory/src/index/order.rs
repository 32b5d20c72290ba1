//! The last word on the order: what says nothing new goes back, what is newer goes ahead.

use std::collections::HashSet;

use super::{Index, search::Found};

/// Ranks that are read first, in which it matters which of two statements holds.
const FIRST: usize = 8;
/// From this cosine on two entries are about the same.
const SAME: f32 = 0.65;
/// How much of the older one's score the newer one must have: else it is about something else of the same kind.
const NEAR: f32 = 0.7;

/// Something found, and where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranked {
    pub(super) slot: u32,
    pub(super) found: Found,
}

impl Index {
    /// Moves repetitions of a text behind everything else, and lets the newer of two entries about the same, of the same
    /// owner, take the place of the older: what holds now is mostly what was said last, and nobody may have closed what
    /// held before.
    pub(super) fn settle(&self, found: &mut Vec<Ranked>) {
        let mut texts = HashSet::new();
        let is_new = |ranked: &Ranked| self.slot(ranked.slot).is_none_or(|slot| texts.insert(slot.text_mark));
        let (mut first, repeated): (Vec<Ranked>, Vec<Ranked>) = found.iter().copied().partition(is_new);
        for older in 0..first.len().min(FIRST) {
            let newest = (older + 1..first.len().min(FIRST))
                .filter(|newer| self.overtakes(&first[*newer], &first[older]))
                .max_by_key(|newer| self.said_at(first[*newer].slot));
            if let Some(newer) = newest {
                let (high, low) = (first[older].found.score, first[newer].found.score);
                first.swap(older, newer);
                (first[older].found.score, first[newer].found.score) = (high, low);
            }
        }
        first.extend(repeated);
        *found = first;
    }

    fn overtakes(&self, newer: &Ranked, older: &Ranked) -> bool {
        let (Some(new), Some(old)) = (self.slot(newer.slot), self.slot(older.slot)) else { return false };
        let (Some(&row), Some(&other)) = (new.rows.first(), old.rows.first()) else { return false };
        !new.asks
            && new.owner == old.owner
            && self.said_at(newer.slot) > self.said_at(older.slot)
            && newer.found.score >= NEAR * older.found.score
            && self.rows.between(row, other) >= SAME
    }

    /// Since when it holds, and if that is the same, when it was stored.
    fn said_at(&self, slot: u32) -> (i64, i64) {
        self.slot(slot).map_or((i64::MIN, i64::MIN), |slot| (slot.about.valid_from, slot.about.recorded_at))
    }
}
