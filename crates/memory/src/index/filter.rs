//! What a search is narrowed to.

use hive_domain::{ContextId, MemoryScope, TrustClass};

use super::{Hot, Index, Slot};
use crate::strength::{half_life, strength};

/// What a search is narrowed to; nothing is, unless named.
#[derive(Clone, Debug, Default, PartialEq)]
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

/// A filter in the numbers of this index.
pub(super) struct Ready {
    kinds: Option<Vec<u32>>,
    least_trust: Option<TrustClass>,
}

impl Index {
    pub(super) fn ready(&self, filter: &Filter) -> Ready {
        let named = |kind: &String| self.kinds.iter().position(|known| known == kind);
        let kinds = filter.kinds.iter().filter_map(named).filter_map(|at| u32::try_from(at).ok());
        Ready { kinds: (!filter.kinds.is_empty()).then(|| kinds.collect()), least_trust: filter.least_trust }
    }

    /// Whether the night that brought it is to be seen, and the one that retired it is not.
    pub(super) fn is_published(&self, number: u32) -> bool {
        self.slot(number).is_some_and(|slot| {
            self.is_active(slot.about.born) != Some(false) && self.is_active(slot.about.died) != Some(true)
        })
    }

    /// What is asked for seldom lies further away.
    pub(super) fn lets_through(&self, filter: &Filter, number: u32) -> bool {
        if filter.parent.is_none() && filter.least_importance.is_none() {
            return true;
        }
        self.slot(number).is_some_and(|slot| {
            filter.parent.is_none_or(|parent| slot.about.parent == Some(parent))
                && filter.least_importance.is_none_or(|least| slot.about.importance >= least)
        })
    }
}

impl Ready {
    pub(super) fn lets_through(&self, hot: &Hot) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&hot.kind))
            && self.least_trust.is_none_or(|least| hot.trust >= least)
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
