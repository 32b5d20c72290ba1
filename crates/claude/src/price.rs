//! What a call costs.

mod listed;

use std::sync::LazyLock;

use chrono::{NaiveDate, Utc};
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
    /// Its first day; what was listed from the start has none.
    from: Option<NaiveDate>,
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

/// How a call is made, as far as its price goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Service {
    /// One call, answered at once.
    #[default]
    Standard,
    /// In a batch, for half the price.
    Batch,
}

/// What so many bytes count at most, in tokens: one for two bytes. English, code and JSON have one for three or more, and
/// the tokenizer of the newest models counts 30 % more than the one before. Text in which nearly each character is a
/// token of its own may have more; the call that shows it is charged as it is.
pub(crate) const fn most_tokens(bytes: u64) -> u64 {
    bytes.div_ceil(2)
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

    /// The price of a token for a prompt of this size, on this day (UTC).
    fn price(&self, model: &str, prompt_tokens: u64, day: NaiveDate) -> Option<TokenPrice> {
        let entry = self.entry(model, day)?;
        Some(match &entry.above {
            Some(step) if prompt_tokens > step.prompt_tokens => step.price,
            _ => entry.price,
        })
    }

    /// What is listed for a model on this day (UTC).
    fn entry(&self, model: &str, day: NaiveDate) -> Option<&ModelPrice> {
        let listed = self.models.iter().filter(|entry| entry.ids.iter().any(|id| id == model));
        let valid = listed.filter(|entry| entry.from.is_none_or(|from| from <= day));
        valid.max_by_key(|entry| entry.from)
    }

    /// What a call of today may cost at most, or `None` without a price: the whole request at the dearest rate that it
    /// can be charged at, and as much output as it may have.
    pub fn worst_case(&self, model: &str, body: &[u8], max_tokens: u32, day: NaiveDate) -> Option<NanoUsd> {
        self.bound(model, body, most_tokens(body.len() as u64), max_tokens, day)
    }

    /// What a call of this day may cost at most when its prompt counts no more than this.
    fn bound(
        &self,
        model: &str,
        body: &[u8],
        prompt: u64,
        max_tokens: u32,
        day: NaiveDate,
    ) -> Option<NanoUsd> {
        let price = self.price(model, prompt, day)?;
        let has = |marker: &[u8]| body.windows(marker.len()).any(|bytes| bytes == marker);
        // The text of a message may hold these words, in quotes that are escaped; taking it for a marker costs nothing
        // but room.
        let input = match (has(b"\"ttl\":\"1h\""), has(b"\"cache_control\"")) {
            (true, _) => price.input.max(price.cache_write_1h),
            (false, true) => price.input.max(price.cache_write_5m),
            (false, false) => price.input,
        };
        let sum = u128::from(prompt) * u128::from(input) + u128::from(max_tokens) * u128::from(price.output);
        Some(NanoUsd(i64::try_from(sum).unwrap_or(i64::MAX)))
    }

    /// The cost of a call of this day (UTC), or `None` when the table has no price for the model. Never take `None` for
    /// zero.
    pub fn cost(&self, model: &str, usage: &Usage, day: NaiveDate, service: Service) -> Option<NanoUsd> {
        let price = self.price(model, usage.prompt_tokens(), day)?;
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
        let sum = match service {
            Service::Standard => sum,
            Service::Batch => sum.div_ceil(2),
        };
        // A count beyond all reason costs more than any budget holds.
        Some(NanoUsd(i64::try_from(sum).unwrap_or(i64::MAX)))
    }
}

/// The day (UTC) by this host's clock: it decides about a price that changes on a day, and about nothing else.
#[expect(clippy::disallowed_methods, reason = "the provider's day, not a lease, a slot or a budget")]
fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// The cost of a call of today by the embedded table, or `None` for a model without a price: then refuse the call or
/// charge a configured rate, never nothing.
pub fn cost(model: &str, usage: &Usage) -> Option<NanoUsd> {
    PriceTable::embedded().cost(model, usage, today(), Service::Standard)
}

/// What a call of today may cost at most, by the embedded table; see [`PriceTable::worst_case`].
pub fn worst_case(model: &str, body: &[u8], max_tokens: u32) -> Option<NanoUsd> {
    PriceTable::embedded().worst_case(model, body, max_tokens, today())
}

/// The cost of a reply that came in a batch today; otherwise as [`cost`].
pub fn batch_cost(model: &str, usage: &Usage) -> Option<NanoUsd> {
    PriceTable::embedded().cost(model, usage, today(), Service::Batch)
}

/// What a request in a batch of today may cost at most, by the embedded table; see [`PriceTable::worst_case`].
pub fn batch_worst_case(model: &str, body: &[u8], max_tokens: u32) -> Option<NanoUsd> {
    let NanoUsd(whole) = worst_case(model, body, max_tokens)?;
    // Rounded up, without the sum that may not fit.
    Some(NanoUsd(whole / 2 + whole % 2))
}

/// What no request of these bytes in a batch of today can exceed, in money and in tokens, in and out: no token is less than
/// a byte. `None` for a model without a price.
pub fn batch_limit(model: &str, body: &[u8], max_tokens: u32) -> Option<(NanoUsd, u64)> {
    let prompt = body.len() as u64;
    let NanoUsd(whole) = PriceTable::embedded().bound(model, body, prompt, max_tokens, today())?;
    Some((NanoUsd(whole / 2 + whole % 2), prompt + u64::from(max_tokens)))
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

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[test]
    fn a_price_holds_from_its_day_on() {
        let read = Usage { cache_read_input_tokens: 10, ..Usage::default() };
        let cost = |day| PriceTable::embedded().cost("claude-sonnet-5-5", &read, day, Service::Standard);
        assert_eq!(cost(day(2026, 10, 6)), Some(NanoUsd(2_000)));
        assert_eq!(cost(day(2026, 10, 7)), Some(NanoUsd(1_000)));
        assert_eq!(cost(day(2027, 1, 1)), Some(NanoUsd(1_000)));
        // What is shown is what is charged.
        let listed = |day| PriceTable::embedded().listed_on("claude-sonnet-5-5", day)[0].cache_read;
        assert_eq!((listed(day(2026, 10, 6)), listed(day(2026, 10, 7))), (200, 100));
    }

    #[test]
    fn a_batch_costs_half_rounded_up() {
        let usage = Usage { input_tokens: 1, cache_creation_input_tokens: 1, ..Usage::default() };
        let cost =
            |service| PriceTable::embedded().cost("claude-haiku-5-5", &usage, day(2026, 11, 1), service);
        assert_eq!(cost(Service::Standard), Some(NanoUsd(225)));
        assert_eq!(cost(Service::Batch), Some(NanoUsd(113)));
        assert_eq!(batch_cost("claude-haiku-5-5", &usage), Some(NanoUsd(113)));
        let (body, NanoUsd(whole)) =
            ([b'x'; 1_001], worst_case("claude-haiku-5-5", &[b'x'; 1_001], 7).expect("it has a price"));
        let half = batch_worst_case("claude-haiku-5-5", &body, 7);
        assert_eq!(half, Some(NanoUsd(whole.unsigned_abs().div_ceil(2).cast_signed())));
        assert_eq!(batch_worst_case("claude-fable-5-2", &body, 7), None);
        // Each byte may be a token: 1,001 at 50 and 7 at 250.
        assert_eq!(batch_limit("claude-haiku-5-5", &body, 7), Some((NanoUsd(1_001 * 50 + 7 * 250), 1_008)));
        assert_eq!(batch_limit("claude-fable-5-2", &body, 7), None);
    }

    #[test]
    fn the_worst_case_is_the_dearest_rate_for_all_of_it() {
        let plain = vec![b'x'; 1_000];
        // 500 tokens in, 10 out.
        assert_eq!(worst_case("claude-sonnet-5-5", &plain, 10), Some(NanoUsd(500 * 2_000 + 10 * 10_000)));
        let marked = |marker: &str| {
            let mut body = vec![b'x'; 1_000 - marker.len()];
            body.extend_from_slice(marker.as_bytes());
            body
        };
        let cached = marked(r#""cache_control":{"type":"ephemeral"}"#);
        assert_eq!(worst_case("claude-sonnet-5-5", &cached, 0), Some(NanoUsd(500 * 2_500)));
        let hour = marked(r#""cache_control":{"type":"ephemeral","ttl":"1h"}"#);
        assert_eq!(worst_case("claude-sonnet-5-5", &hour, 0), Some(NanoUsd(500 * 4_000)));
        let step = vec![b'x'; 200_003];
        assert_eq!(worst_case("claude-haiku-5-5", &step, 1), Some(NanoUsd(100_002 * 500 + 2_500)));
        assert_eq!(worst_case("claude-fable-5-2", &plain, 10), None);
    }

    #[test]
    fn what_the_newest_tokenizer_counts_fits_into_the_worst_case() {
        // 0.45 tokens a byte: dense code at 0.35, and 30 % more.
        for (bytes, max_tokens) in [(40_000_u32, 1_000), (210_000, 8_000), (400_000, 64_000)] {
            let body = vec![b'x'; bytes as usize];
            let usage = Usage {
                input_tokens: u64::from(bytes) * 45 / 100,
                output_tokens: u64::from(max_tokens),
                ..Usage::default()
            };
            for model in ["claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"] {
                let (most, cost) =
                    (worst_case(model, &body, max_tokens).unwrap(), cost(model, &usage).unwrap());
                assert!(cost <= most, "{model}, {bytes} bytes: {cost:?} of {most:?}");
            }
        }
        // Dearer by the step alone: 225,000 bytes were taken for 90,000 tokens and are 101,250.
        let usage = Usage { input_tokens: 101_250, ..Usage::default() };
        let most = worst_case("claude-haiku-5-5", &[b'x'; 225_000], 0);
        assert!(cost("claude-haiku-5-5", &usage) <= most, "{most:?}");
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
