//! Room for one search at a time, kept from one to the next so that nothing of the size of the index is made anew.

use std::sync::PoisonError;

use super::Index;

#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The number of the search; what bears another one is left over from an earlier one.
    turn: u32,
    words: Vec<Words>,
    /// The slots that have something by words.
    pub(super) met: Vec<u32>,
    /// Counts of one term over windows, and the slots that have some.
    pub(super) window_counts: Vec<u32>,
    pub(super) touched: Vec<u32>,
}

/// What an entry has by words.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Words {
    turn: u32,
    pub(super) text: f32,
    pub(super) text_window: f32,
    pub(super) exact: f32,
}

impl Scratch {
    pub(super) fn words(&self, slot: u32) -> Words {
        let words = self.words[slot as usize];
        if words.turn == self.turn { words } else { Words::default() }
    }

    pub(super) fn words_mut(&mut self, slot: u32) -> &mut Words {
        let words = &mut self.words[slot as usize];
        if words.turn != self.turn {
            *words = Words { turn: self.turn, ..Words::default() };
            self.met.push(slot);
        }
        words
    }
}

impl Index {
    pub(super) fn take_scratch(&self) -> Scratch {
        let mut kept = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = kept.pop().unwrap_or_default();
        drop(kept);
        let count = self.slots.len();
        scratch.words.resize(count, Words::default());
        scratch.window_counts.resize(count, 0);
        scratch.met.clear();
        scratch.touched.clear();
        scratch.turn = scratch.turn.wrapping_add(1);
        if scratch.turn == 0 {
            scratch.words.fill(Words::default());
            scratch.turn = 1;
        }
        scratch
    }

    /// Keeps it for later, unless as many are kept as searches ever run at once on a machine of some size.
    pub(super) fn keep_scratch(&self, scratch: Scratch) {
        let mut kept = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < 8 {
            kept.push(scratch);
        }
    }
}
