//! Tokens as the Messages API counts them.

use std::{iter::Sum, ops::Add};

use serde::{Deserialize, Serialize};

use crate::money::NanoUsd;

/// Tokens of one call, or of many added up, and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens that were neither read from nor written to the prompt cache.
    pub input_tokens: i64,
    /// Tokens of the answer.
    pub output_tokens: i64,
    /// Input tokens read from the prompt cache.
    pub cache_read_tokens: i64,
    /// Input tokens written to the prompt cache.
    pub cache_write_tokens: i64,
    /// Of `cache_write_tokens`, those written for an hour and not for five minutes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write_1h_tokens: i64,
    /// Price of all of them, in billionths of a US dollar.
    #[serde(rename = "cost_nano_usd")]
    pub cost: NanoUsd,
}

impl Usage {
    /// Tokens of every kind together.
    #[must_use]
    pub const fn total_tokens(&self) -> i64 {
        self.input_tokens
            .saturating_add(self.output_tokens)
            .saturating_add(self.cache_read_tokens)
            .saturating_add(self.cache_write_tokens)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(tokens: &i64) -> bool {
    *tokens == 0
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cache_read_tokens: self.cache_read_tokens.saturating_add(other.cache_read_tokens),
            cache_write_tokens: self.cache_write_tokens.saturating_add(other.cache_write_tokens),
            cache_write_1h_tokens: self.cache_write_1h_tokens.saturating_add(other.cache_write_1h_tokens),
            cost: self.cost + other.cost,
        }
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), Add::add)
    }
}
