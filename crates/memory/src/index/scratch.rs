//! Room for one search at a time, kept from one to the next so that nothing of the size of the index is made anew.

use std::sync::PoisonError;

use super::Index;

#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The number of the search; what bears another one is left over from an earlier one.
    pub(super) turn: u32,
    /// Slots that the reader may see at the time that is asked for.
    pub(super) seen: Vec<u32>,
    /// Those of them that the filter lets through.
    pub(super) wanted: Vec<u32>,
    pub(super) text: Vec<f32>,
    pub(super) text_window: Vec<f32>,
    pub(super) exact: Vec<f32>,
    /// Counts of one term over windows, and the slots that have some.
    pub(super) window_counts: Vec<u32>,
    pub(super) touched: Vec<u32>,
}

impl Scratch {
    pub(super) fn sees(&self, slot: u32) -> bool {
        self.seen[slot as usize] == self.turn
    }

    pub(super) fn wants(&self, slot: u32) -> bool {
        self.wanted[slot as usize] == self.turn
    }
}

impl Index {
    pub(super) fn take_scratch(&self) -> Scratch {
        let mut kept = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = kept.pop().unwrap_or_default();
        drop(kept);
        let count = self.slots.len();
        scratch.seen.resize(count, 0);
        scratch.wanted.resize(count, 0);
        for scores in [&mut scratch.text, &mut scratch.text_window, &mut scratch.exact] {
            scores.resize(count, 0.0);
        }
        scratch.window_counts.resize(count, 0);
        scratch.touched.clear();
        scratch.turn = scratch.turn.wrapping_add(1);
        if scratch.turn == 0 {
            scratch.seen.fill(0);
            scratch.wanted.fill(0);
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
