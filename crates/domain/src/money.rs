//! Money in billionths of a US dollar: the cheapest token of any price list is a whole number of them.

use std::{fmt, iter::Sum, ops::Add};

use serde::{Deserialize, Serialize};

/// Billionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Dollars as a number for JSON; exact up to nine million dollars.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "f64 holds integers exactly up to 2^53, nine million dollars"
    )]
    pub fn usd(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Dollars with all nine digits, as `0.000000100`.
    #[must_use]
    pub fn exact(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nano = self.0.unsigned_abs();
        format!("{sign}{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000)
    }

    /// Reads a non-negative, finite amount of dollars; `None` for anything else.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
    pub fn from_usd(usd: f64) -> Option<Self> {
        (usd.is_finite() && (0.0..=9e9).contains(&usd)).then(|| Self((usd * 1e9).round() as i64))
    }
}

impl Add for NanoUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${:.6}", self.usd())
    }
}

#[cfg(test)]
mod tests {
    use super::NanoUsd;

    #[test]
    fn every_digit_is_shown() {
        for (nano, shown) in [
            (0, "0.000000000"),
            (1, "0.000000001"),
            (1_234_567_890, "1.234567890"),
            (-5, "-0.000000005"),
            (i64::MAX, "9223372036.854775807"),
        ] {
            assert_eq!(NanoUsd(nano).exact(), shown);
        }
    }
}
