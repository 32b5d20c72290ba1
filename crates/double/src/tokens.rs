//! The deterministic tokenizer: the same text always counts the same, here and in `count_tokens`.

/// Tokens of so many bytes of text: one for every 3.5 bytes, rounded up.
///
/// The ratio stands for English text and code; it makes usage reproducible, not equal to the real tokenizer.
#[must_use]
pub fn tokens(bytes: u64) -> u64 {
    (bytes * 2).div_ceil(7)
}

/// The largest text, in bytes, that still counts as at most `tokens`.
pub(crate) fn bytes_within(tokens: u64) -> u64 {
    tokens.saturating_mul(7) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_and_a_half_bytes_make_a_token() {
        for (bytes, expected) in [(0, 0), (1, 1), (3, 1), (4, 2), (7, 2), (8, 3), (35, 10), (36, 11)] {
            assert_eq!(tokens(bytes), expected, "{bytes} bytes");
        }
    }

    #[test]
    fn the_bytes_within_a_budget_fit_it_and_one_more_does_not() {
        for budget in 0..50 {
            assert!(tokens(bytes_within(budget)) <= budget);
            assert!(tokens(bytes_within(budget) + 1) > budget);
        }
    }
}
