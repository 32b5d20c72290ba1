//! Prices as they are shown.

use chrono::NaiveDate;

use super::{PriceTable, TokenPrice, today};

/// Prices of one model, in billionths of a US dollar per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedPrice {
    /// They hold for calls whose prompt has more tokens than this; 0 for the first.
    pub above_prompt_tokens: u64,
    /// Of a token that was neither read from nor written to the prompt cache.
    pub input: u32,
    /// Of a token of the reply.
    pub output: u32,
    /// Of a token that is kept for five minutes.
    pub cache_write_5m: u32,
    /// Of a token that is kept for an hour.
    pub cache_write_1h: u32,
    /// Of a token that was read from the cache.
    pub cache_read: u32,
}

impl ListedPrice {
    const fn new(above_prompt_tokens: u64, price: TokenPrice) -> Self {
        let TokenPrice { input, output, cache_write_5m, cache_write_1h, cache_read } = price;
        Self { above_prompt_tokens, input, output, cache_write_5m, cache_write_1h, cache_read }
    }
}

impl PriceTable {
    /// The prices of a model today by the size of the prompt; empty for a model without a price.
    #[must_use]
    pub fn listed(&self, model: &str) -> Vec<ListedPrice> {
        self.listed_on(model, today())
    }

    pub(super) fn listed_on(&self, model: &str, day: NaiveDate) -> Vec<ListedPrice> {
        let Some(entry) = self.entry(model, day) else { return Vec::new() };
        let above = entry.above.as_ref().map(|step| ListedPrice::new(step.prompt_tokens, step.price));
        std::iter::once(ListedPrice::new(0, entry.price)).chain(above).collect()
    }
}
