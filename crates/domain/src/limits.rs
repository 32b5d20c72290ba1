//! What one task may use up, and which limit was reached first.

use serde::{Deserialize, Serialize};

use crate::{money::NanoUsd, status::StatusReason, usage::Usage};

/// Bounds of one task over all its runs. `None` is unlimited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Model replies.
    pub max_turns: Option<u32>,
    /// Money, in US dollars.
    pub max_cost_usd: Option<f64>,
    /// Tokens of every kind together.
    pub max_tokens: Option<i64>,
    /// Seconds of all runs together; parked time does not count.
    pub max_seconds: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_turns: Some(50), max_cost_usd: Some(2.0), max_tokens: None, max_seconds: Some(1800) }
    }
}

impl Limits {
    /// The tighter of both, field by field.
    #[must_use]
    pub fn narrowed_by(&self, other: &Self) -> Self {
        Self {
            max_turns: least(self.max_turns, other.max_turns),
            max_cost_usd: least(self.max_cost_usd, other.max_cost_usd),
            max_tokens: least(self.max_tokens, other.max_tokens),
            max_seconds: least(self.max_seconds, other.max_seconds),
        }
    }

    /// The limit that forbids another model call, with a sentence that names it. `unheard` is what calls may have cost
    /// whose charge nobody heard.
    #[must_use]
    pub fn reached(
        &self,
        turns: u32,
        seconds: u64,
        usage: &Usage,
        unheard: NanoUsd,
    ) -> Option<(StatusReason, String)> {
        if let Some(max) = self.max_turns
            && turns >= max
        {
            return Some((StatusReason::TurnLimit, format!("{turns} of {max} turns are used")));
        }
        if let Some(max) = self.max_seconds
            && seconds >= max
        {
            return Some((StatusReason::TimeLimit, format!("{seconds} of {max} seconds are used")));
        }
        if let Some(max) = self.max_tokens
            && usage.total_tokens() >= max
        {
            return Some((
                StatusReason::TokenLimit,
                format!("{} of {max} tokens are used", usage.total_tokens()),
            ));
        }
        if let Some(max) = self.max_cost_usd.and_then(NanoUsd::from_usd)
            && let cost = usage.cost + unheard
            && cost >= max
        {
            let detail = match unheard {
                NanoUsd(..=0) => format!("{cost} of {max} is spent"),
                _ => format!(
                    "{cost} of {max} is spent, as much as {unheard} of it by calls that broke off before their charge \
                     was heard"
                ),
            };
            return Some((StatusReason::CostLimit, detail));
        }
        None
    }
}

fn least<T: PartialOrd>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b < a { b } else { a }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_ends_with_its_own_reason() {
        let usage =
            Usage { input_tokens: 90, output_tokens: 10, cost: NanoUsd(500_000_000), ..Usage::default() };
        let none = Limits { max_turns: None, max_cost_usd: None, max_tokens: None, max_seconds: None };
        assert_eq!(none.reached(1_000, 1_000_000, &usage, NanoUsd(0)), None);
        for (limits, reason) in [
            (Limits { max_turns: Some(3), ..none.clone() }, StatusReason::TurnLimit),
            (Limits { max_seconds: Some(60), ..none.clone() }, StatusReason::TimeLimit),
            (Limits { max_tokens: Some(100), ..none.clone() }, StatusReason::TokenLimit),
            (Limits { max_cost_usd: Some(0.5), ..none.clone() }, StatusReason::CostLimit),
        ] {
            assert_eq!(limits.reached(3, 60, &usage, NanoUsd(0)).map(|(reason, _)| reason), Some(reason));
            assert_eq!(limits.reached(2, 59, &Usage::default(), NanoUsd(0)), None);
        }
    }

    #[test]
    fn what_was_not_heard_counts_and_is_named() {
        let limits = Limits { max_turns: None, max_cost_usd: Some(2.0), max_tokens: None, max_seconds: None };
        let (usage, unheard) =
            (Usage { cost: NanoUsd(500_000_000), ..Usage::default() }, NanoUsd(1_500_000_000));
        assert_eq!(limits.reached(1, 1, &usage, NanoUsd(unheard.0 - 1)), None);
        let (reason, detail) = limits.reached(1, 1, &usage, unheard).unwrap();
        assert_eq!(reason, StatusReason::CostLimit);
        assert!(detail.contains(&format!("as much as {unheard} of it")), "{detail}");
    }

    #[test]
    fn the_tighter_limit_wins() {
        let a = Limits { max_turns: Some(10), max_cost_usd: None, max_tokens: Some(5), max_seconds: Some(1) };
        let b =
            Limits { max_turns: Some(3), max_cost_usd: Some(1.0), max_tokens: None, max_seconds: Some(2) };
        let both =
            Limits { max_turns: Some(3), max_cost_usd: Some(1.0), max_tokens: Some(5), max_seconds: Some(1) };
        assert_eq!(a.narrowed_by(&b), both);
        assert_eq!(b.narrowed_by(&a), both);
    }
}
