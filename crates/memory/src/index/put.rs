//! Entries come, change and go.

use std::hash::{DefaultHasher, Hash, Hasher};

use hive_domain::{ContextId, MemoryOwner, TrustClass};

use super::{About, Entry, Hot, Index, NONE, Owned, Posting, Slot, Span};

/// Of a slot that nobody reads yet.
const COLD: Hot = Hot {
    row: NONE,
    length: 0,
    kind: NONE,
    trust: TrustClass::External,
    nightly: false,
    linked: false,
    chunked: false,
};

/// Of what never holds.
const NEVER: Span = Span { valid_from: i64::MAX, valid_to: i64::MIN, fades_at: i64::MIN };

impl Index {
    /// Puts an entry in, or in the place of the one with its id. What did not change is left as it is. Vectors of another
    /// length than the index has are left out.
    pub fn put(&mut self, entry: Entry<'_>) {
        self.forget_views();
        let text_mark = mark(entry.text);
        let same = self.by_id.get(&entry.id).copied().filter(|slot| {
            self.slot(*slot).is_some_and(|old| {
                old.text_mark == text_mark && self.owners[old.owner as usize].owner == entry.owner
            })
        });
        if let Some(slot) = same {
            self.set_vectors(slot, &entry.vectors);
            self.set_about(slot, entry.about);
            return;
        }
        self.remove(entry.id);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.hot.push(COLD);
            self.spans.push(NEVER);
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
        });
        let owner = self.owner_number(entry.owner);
        self.owners[owner as usize].members.push(slot);
        let (counts, length) = self.analyser.counts(entry.text);
        let terms = counts.into_iter().map(|(term, count)| {
            let number = self.term_number(term);
            self.postings[number as usize].push(Posting { slot, count });
            number
        });
        let terms = terms.collect();
        self.by_id.insert(entry.id, slot);
        self.slots[slot as usize] = Some(Slot {
            id: entry.id,
            owner,
            text_mark,
            length,
            asks: entry.text.trim_end().ends_with(['?', '？']),
            terms,
            rows: Box::default(),
            previous: NONE,
            next: Vec::new(),
            about: About { follows: None, ..entry.about.clone() },
        });
        self.set_vectors(slot, &entry.vectors);
        self.set_about(slot, entry.about);
        for later in self.orphans.remove(&entry.id).unwrap_or_default() {
            self.link(later, slot);
        }
    }

    /// Takes an entry out; whether it was there.
    pub fn remove(&mut self, id: ContextId) -> bool {
        self.forget_views();
        let Some(at) = self.by_id.remove(&id) else { return false };
        let Some(slot) = self.slots[at as usize].take() else { return false };
        for term in &slot.terms {
            self.postings[*term as usize].retain(|posting| posting.slot != at);
        }
        for row in &slot.rows {
            self.rows.remove(*row);
        }
        self.owners[slot.owner as usize].members.retain(|member| *member != at);
        if let Some(previous) = self.slots.get_mut(slot.previous as usize).and_then(Option::as_mut) {
            previous.next.retain(|next| *next != at);
            self.heat(slot.previous);
        }
        if let Some(waited) = slot.about.follows
            && let Some(waiting) = self.orphans.get_mut(&waited)
        {
            waiting.retain(|orphan| *orphan != at);
        }
        for next in slot.next {
            if let Some(later) = self.slots[next as usize].as_mut() {
                later.previous = NONE;
                // It may come again, with another text.
                self.orphans.entry(id).or_default().push(next);
            }
            self.heat(next);
        }
        self.free.push(at);
        true
    }

    /// Notes how often an entry was recalled, and when last.
    pub fn set_recalled(&mut self, id: ContextId, count: u64, last: i64) {
        self.forget_views();
        let Some(at) = self.by_id.get(&id).copied() else { return };
        if let Some(slot) = self.slots[at as usize].as_mut() {
            slot.about.recalled = (count, last);
        }
        self.heat(at);
    }

    fn set_about(&mut self, at: u32, about: About) {
        if !self.kinds.contains(&about.kind) {
            self.kinds.push(about.kind.clone());
        }
        let Some(slot) = self.slots[at as usize].as_mut() else { return };
        let follows = about.follows;
        let relink = slot.about.follows != follows;
        slot.about = about;
        if let (true, Some(follows)) = (relink, follows) {
            match self.by_id.get(&follows) {
                Some(previous) => self.link(at, *previous),
                None => self.orphans.entry(follows).or_default().push(at),
            }
        }
        self.heat(at);
    }

    /// Only what is of the same owner is a window: what one may see of it, one may see of both.
    fn link(&mut self, later: u32, earlier: u32) {
        let owner = |slot: u32| self.slot(slot).map(|slot| slot.owner);
        if later == earlier || owner(later).is_none() || owner(later) != owner(earlier) {
            return;
        }
        if let Some(slot) = self.slots[later as usize].as_mut() {
            slot.previous = earlier;
        }
        if let Some(slot) = self.slots[earlier as usize].as_mut() {
            slot.next.push(later);
        }
        self.heat(later);
        self.heat(earlier);
    }

    fn set_vectors(&mut self, at: u32, vectors: &[Vec<f32>]) {
        let Some(slot) = self.slots[at as usize].as_mut() else { return };
        let old = std::mem::take(&mut slot.rows);
        for row in &old {
            self.rows.remove(*row);
        }
        let fitting: Vec<&Vec<f32>> = vectors.iter().filter(|vector| self.rows.fits(vector)).collect();
        slot.rows = fitting.into_iter().map(|vector| self.rows.add(vector)).collect();
    }

    fn term_number(&mut self, term: String) -> u32 {
        if let Some(number) = self.lexicon.get(&*term) {
            return *number;
        }
        let number = u32::try_from(self.postings.len()).unwrap_or(NONE);
        self.postings.push(Vec::new());
        self.lexicon.insert(term.into(), number);
        number
    }

    fn owner_number(&mut self, owner: MemoryOwner) -> u32 {
        if let Some(number) = self.owner_numbers.get(&owner) {
            return *number;
        }
        let number = u32::try_from(self.owners.len()).unwrap_or(NONE);
        self.owners.push(Owned { owner, members: Vec::new() });
        self.owner_numbers.insert(owner, number);
        number
    }
}

fn mark(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
