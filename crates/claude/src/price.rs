//! What a call costs.

mod listed;

use std::sync::LazyLock;

pub use listed::ListedPrice;
use serde::Deserialize;

use crate::wire::usage::Usage;

/// Money in billionths of a US dollar. All list prices are whole numbers of it per token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoUsd(pub i64);

/// A dated list of prices.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    /// The day the prices were looked up, as `YYYY-MM-DD`.
    pub as_of: String,
    #[serde(rename = "model")]
    models: Vec<ModelPrice>,
}

/// A price table that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the price table cannot be read; see prices.toml for its form")]
pub struct PriceError(#[from] toml::de::Error);

#[derive(Clone, Debug, Deserialize)]
struct ModelPrice {
    ids: Vec<String>,
    #[serde(flatten)]
    price: TokenPrice,
    above: Option<Step>,
}

#[derive(Clone, Debug, Deserialize)]
struct Step {
    prompt_tokens: u64,
    #[serde(flatten)]
    price: TokenPrice,
}

/// In nano-USD per token.
#[derive(Clone, Copy, Debug, Deserialize)]
struct TokenPrice {
    input: u32,
    output: u32,
    cache_write_5m: u32,
    cache_write_1h: u32,
    cache_read: u32,
}

impl PriceTable {
    /// The table this crate was built with.
    pub fn embedded() -> &'static Self {
        static TABLE: LazyLock<PriceTable> = LazyLock::new(|| {
            PriceTable::parse(include_str!("../prices.toml"))
                .expect("the embedded table is part of the program and read by its tests")
        });
        &TABLE
    }

    /// Reads a table in the form of `prices.toml`.
    ///
    /// # Errors
    /// When the text is not TOML, or a price is missing, negative or not a whole number.
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        Ok(toml::from_str(text)?)
    }

    /// The cost of a call, or `None` when the table has no price for the model. Never take `None` for zero.
    pub fn cost(&self, model: &str, usage: &Usage) -> Option<NanoUsd> {
        let entry = self.models.iter().find(|entry| entry.ids.iter().any(|id| id == model))?;
        let price = match &entry.above {
            Some(step) if usage.prompt_tokens() > step.prompt_tokens => step.price,
            _ => entry.price,
        };
        let hour = usage.cache_creation.ephemeral_1h_input_tokens;
        // Where the service gives no split, or one that does not add up, the rest was written for five minutes.
        let five_minutes = usage
            .cache_creation
            .ephemeral_5m_input_tokens
            .max(usage.cache_creation_input_tokens.saturating_sub(hour));
        let parts = [
            (usage.input_tokens, price.input),
            (usage.output_tokens, price.output),
            (usage.cache_read_input_tokens, price.cache_read),
            (five_minutes, price.cache_write_5m),
            (hour, price.cache_write_1h),
        ];
        let sum = parts.iter().map(|&(tokens, price)| u128::from(tokens) * u128::from(price)).sum::<u128>();
        // A count beyond all reason costs more than any budget holds.
        Some(NanoUsd(i64::try_from(sum).unwrap_or(i64::MAX)))
    }
}

/// The cost of a call by the embedded table, or `None` for a model without a price: then refuse the call or
/// charge a configured rate, never nothing.
pub fn cost(model: &str, usage: &Usage) -> Option<NanoUsd> {
    PriceTable::embedded().cost(model, usage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::usage::CacheCreation;

    /// A million tokens of each kind, cache writes half and half.
    fn million_each() -> Usage {
        Usage {
            input_tokens: 1_000_000,
            output_tokens: 1_000_000,
            cache_read_input_tokens: 1_000_000,
            cache_creation_input_tokens: 2_000_000,
            cache_creation: CacheCreation {
                ephemeral_5m_input_tokens: 1_000_000,
                ephemeral_1h_input_tokens: 1_000_000,
            },
        }
    }

    #[test]
    fn each_listed_model_costs_what_the_list_says() {
        // USD for a million tokens of each kind: in + out + write 5m + write 1h + read.
        let rows = [
            ("claude-fable-5-1", 10.0 + 50.0 + 12.5 + 20.0 + 0.25),
            ("claude-mythos-5", 10.0 + 50.0 + 12.5 + 20.0 + 1.0),
            ("claude-opus-5-5", 4.0 + 20.0 + 5.0 + 8.0 + 0.2),
            ("claude-opus-4-5-20251101", 5.0 + 25.0 + 6.25 + 10.0 + 0.5),
            ("claude-sonnet-5-5", 2.0 + 10.0 + 2.5 + 4.0 + 0.1),
            ("claude-sonnet-5", 2.0 + 10.0 + 2.5 + 4.0 + 0.2),
            ("claude-sonnet-4-6", 3.0 + 15.0 + 3.75 + 6.0 + 0.3),
            ("claude-haiku-5-5", 0.5 + 2.5 + 0.625 + 1.0 + 0.05),
            ("claude-haiku-4-5", 1.0 + 5.0 + 1.25 + 2.0 + 0.1),
        ];
        for (model, usd) in rows {
            let NanoUsd(nano) = cost(model, &million_each()).unwrap();
            assert!((nano as f64 / 1e9 - usd).abs() < 1e-9, "{model}: {nano}");
        }
    }

    #[test]
    fn the_step_counts_the_whole_prompt_and_raises_the_whole_call() {
        let at = Usage {
            input_tokens: 1_000,
            cache_read_input_tokens: 98_000,
            cache_creation_input_tokens: 1_000,
            output_tokens: 10,
            ..Usage::default()
        };
        assert_eq!(cost("claude-haiku-5-5", &at), Some(NanoUsd(100_000 + 980_000 + 125_000 + 5_000)));
        let above = Usage { cache_read_input_tokens: 98_001, ..at };
        assert_eq!(cost("claude-haiku-5-5", &above), Some(NanoUsd(500_000 + 4_900_050 + 625_000 + 25_000)));
    }

    #[test]
    fn cache_writes_without_a_split_are_charged() {
        let usage = Usage { cache_creation_input_tokens: 10, ..Usage::default() };
        assert_eq!(cost("claude-sonnet-5-5", &usage), Some(NanoUsd(25_000)));
        let split = CacheCreation { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 10 };
        let usage = Usage { cache_creation: split, ..usage };
        assert_eq!(cost("claude-sonnet-5-5", &usage), Some(NanoUsd(40_000)), "and not twice");
    }

    #[test]
    fn an_unknown_model_has_no_price_and_an_absurd_count_is_not_cheap() {
        assert_eq!(cost("claude-fable-5-2", &million_each()), None);
        let absurd = Usage { output_tokens: u64::MAX, ..Usage::default() };
        assert_eq!(cost("claude-opus-5-5", &absurd), Some(NanoUsd(i64::MAX)));
    }

    #[test]
    fn a_table_with_a_missing_price_is_refused() {
        let table = "as_of = \"2026-01-01\"\n[[model]]\nids = [\"m\"]\ninput = 1\noutput = 1\n";
        assert!(PriceTable::parse(table).is_err());
    }
}
