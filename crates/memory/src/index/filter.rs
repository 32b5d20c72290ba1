//! What a search may find: by who asks, by time, and by what the caller narrows it to.

use hive_domain::{ContextId, MemoryReader, MemoryScope, TrustClass};

use super::{Hot, Index, Slot, scratch::Scratch};
use crate::strength::{half_life, strength};

/// What a search is narrowed to; nothing is, unless named.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only these scopes.
    pub scopes: Vec<MemoryScope>,
    /// Only these kinds.
    pub kinds: Vec<String>,
    /// Only what is believed at least so far.
    pub least_trust: Option<TrustClass>,
    /// Only parts of this one.
    pub parent: Option<ContextId>,
    /// Only what weighs at least so much.
    pub least_importance: Option<f32>,
    /// Also what has faded.
    pub with_faded: bool,
}

/// What is asked for, in the numbers of this index.
pub(super) struct Ready<'a> {
    filter: &'a Filter,
    kinds: Option<Vec<u32>>,
    at: i64,
}

impl Index {
    /// Marks what the reader may see at `at`, and returns what of it the filter lets through. The first is what windows
    /// and weights are made of, the second what is found.
    pub(super) fn narrow(
        &self,
        reader: &MemoryReader,
        at: i64,
        filter: &Filter,
        scratch: &mut Scratch,
    ) -> (usize, u64, Vec<u32>) {
        let named = |kind: &String| self.kinds.iter().position(|known| known == kind);
        let ready = Ready {
            filter,
            kinds: (!filter.kinds.is_empty()).then(|| {
                filter.kinds.iter().filter_map(named).filter_map(|at| u32::try_from(at).ok()).collect()
            }),
            at,
        };
        let (mut count, mut length, mut candidates) = (0, 0, Vec::new());
        for owned in self.owners.iter().filter(|owned| reader.may_see(owned.owner)) {
            let wanted = filter.scopes.is_empty() || filter.scopes.contains(&owned.owner.scope());
            for &number in &owned.members {
                let place = number as usize;
                let hot = &self.hot[place];
                if at < hot.valid_from || at >= hot.valid_to || (hot.nightly && !self.is_published(number)) {
                    continue;
                }
                scratch.seen[place] = scratch.turn;
                scratch.text[place] = 0.0;
                scratch.text_window[place] = 0.0;
                scratch.exact[place] = 0.0;
                count += 1;
                length += u64::from(hot.length);
                if wanted && ready.lets_through(hot) && self.lets_through(filter, number) {
                    scratch.wanted[place] = scratch.turn;
                    candidates.push(number);
                }
            }
        }
        (count, length, candidates)
    }

    /// Whether the night that brought it is to be seen, and the one that retired it is not.
    fn is_published(&self, number: u32) -> bool {
        self.slot(number).is_some_and(|slot| {
            self.is_active(slot.about.born) != Some(false) && self.is_active(slot.about.died) != Some(true)
        })
    }

    /// What is asked for seldom lies further away.
    fn lets_through(&self, filter: &Filter, number: u32) -> bool {
        if filter.parent.is_none() && filter.least_importance.is_none() {
            return true;
        }
        self.slot(number).is_some_and(|slot| {
            filter.parent.is_none_or(|parent| slot.about.parent == Some(parent))
                && filter.least_importance.is_none_or(|least| slot.about.importance >= least)
        })
    }
}

impl Ready<'_> {
    fn lets_through(&self, hot: &Hot) -> bool {
        (hot.fades_at > self.at || self.filter.with_faded)
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&hot.kind))
            && self.filter.least_trust.is_none_or(|least| hot.trust >= least)
    }
}

impl Slot {
    /// See [`strength`].
    pub(super) fn strength(&self, at: i64) -> f32 {
        let about = &self.about;
        let (recalls, last) = about.recalled;
        let since = |then: i64| seconds(at.saturating_sub(then));
        strength(about.importance, since(about.recorded_at), recalls, since(last), half_life(&about.kind))
    }
}

#[expect(clippy::cast_precision_loss, reason = "whether it is days or weeks is wanted, not microseconds")]
fn seconds(micros: i64) -> f32 {
    micros as f32 / 1e6
}
