//! What a reader may see at a time, and what of it a filter lets through. It stays the same until an entry changes, begins
//! to hold, ends or fades, so it is kept for the next search.

use std::sync::{Arc, PoisonError};

use hive_domain::MemoryReader;

use super::{Filter, Index, NONE};

/// Views that are kept at most.
const KEPT: usize = 16;
/// Rows of all kept views together, for each entry of the index: 32 bytes at most.
const ROWS_FOR_EACH: usize = 4;

/// What one reader may see, and what of it one filter lets through.
#[derive(Debug)]
pub(super) struct View {
    reader: MemoryReader,
    filter: Filter,
    /// From when until when it is right, in microseconds since 1970.
    from: i64,
    until: i64,
    /// How many entries are seen.
    pub(super) count: usize,
    /// How long all of them are together.
    pub(super) length: u64,
    seen: Bits,
    wanted: Bits,
    /// The rows of what is wanted, and beside each whose it is. What has several comes several times in a row.
    pub(super) rows: Vec<u32>,
    pub(super) slots: Vec<u32>,
    /// Whether something has several.
    pub(super) chunked: bool,
}

impl View {
    pub(super) fn sees(&self, slot: u32) -> bool {
        self.seen.has(slot)
    }

    pub(super) fn wants(&self, slot: u32) -> bool {
        self.wanted.has(slot)
    }

    fn serves(&self, reader: &MemoryReader, at: i64, filter: &Filter) -> bool {
        self.from <= at && at < self.until && self.reader == *reader && self.filter == *filter
    }

    pub(super) fn bytes(&self) -> usize {
        8 * self.rows.len() + 8 * (self.seen.0.len() + self.wanted.0.len())
    }
}

/// A bit for each slot: of 100,000 they stay in the nearest cache.
#[derive(Debug)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    fn none_of(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn set(&mut self, at: u32) {
        self.0[at as usize / 64] |= 1 << (at % 64);
    }

    fn has(&self, at: u32) -> bool {
        self.0.get(at as usize / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }
}

impl Index {
    /// What the reader may see at `at`, and what of it the filter lets through. The first is what windows and weights are
    /// made of, the second what is found.
    pub(super) fn view(&self, reader: &MemoryReader, at: i64, filter: &Filter) -> Arc<View> {
        let mut kept = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = kept.iter().position(|view| view.serves(reader, at, filter)) {
            kept[..=number].rotate_right(1);
            return Arc::clone(&kept[0]);
        }
        drop(kept);
        let view = Arc::new(self.look(*reader, at, filter));
        let mut kept = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| other.reader != *reader || other.filter != *filter);
        kept.insert(0, Arc::clone(&view));
        kept.truncate(KEPT);
        let mut room = ROWS_FOR_EACH * self.slots.len();
        kept.retain(|view| {
            let fits = view.rows.len() <= room;
            room -= if fits { view.rows.len() } else { room };
            fits
        });
        view
    }

    fn look(&self, reader: MemoryReader, at: i64, filter: &Filter) -> View {
        let count = self.slots.len();
        let (seen, wanted) = (Bits::none_of(count), Bits::none_of(count));
        let (mut time, mut chunked) = (Time { at, from: i64::MIN, until: i64::MAX }, false);
        let (mut count, mut length, mut rows, mut slots) = (0, 0, Vec::new(), Vec::new());
        let (mut seen, mut wanted) = (seen, wanted);
        let ready = self.ready(filter);
        for owned in self.owners.iter().filter(|owned| reader.may_see(owned.owner)) {
            let of_scope = filter.scopes.is_empty() || filter.scopes.contains(&owned.owner.scope());
            for &number in &owned.members {
                let (hot, span) = (&self.hot[number as usize], &self.spans[number as usize]);
                // Both, so that the bounds of the time are told by all of them.
                let holds = time.is_past(span.valid_from) & !time.is_past(span.valid_to);
                let fades = time.is_past(span.fades_at);
                if !holds || (hot.nightly && !self.is_published(number)) {
                    continue;
                }
                seen.set(number);
                count += 1;
                length += u64::from(hot.length);
                let strong = !fades || filter.with_faded;
                if !(of_scope && strong && ready.lets_through(hot) && self.lets_through(filter, number)) {
                    continue;
                }
                wanted.set(number);
                if hot.row == NONE {
                    continue;
                }
                if !hot.chunked {
                    slots.push(number);
                    rows.push(hot.row);
                } else if let Some(slot) = self.slot(number) {
                    chunked = true;
                    slots.extend(slot.rows.iter().map(|_| number));
                    rows.extend(&slot.rows);
                }
            }
        }
        let Time { from, until, .. } = time;
        View {
            reader,
            filter: filter.clone(),
            from,
            until,
            count,
            length,
            seen,
            wanted,
            rows,
            slots,
            chunked,
        }
    }
}

/// A time, and how far around it nothing begins or ends.
struct Time {
    at: i64,
    from: i64,
    until: i64,
}

impl Time {
    fn is_past(&mut self, moment: i64) -> bool {
        if moment <= self.at {
            self.from = self.from.max(moment);
            true
        } else {
            self.until = self.until.min(moment);
            false
        }
    }
}
