//! What a call will probably be charged with: learned from those before it. The whole of `max_tokens` would use a
//! fraction of the rate, since few replies come near it; what was taken wrongly is corrected after the reply.

/// Bytes of a request that make a token, until the first reply shows better.
const BYTES_PER_TOKEN: f64 = 4.0;
/// The share of `max_tokens` that the first replies are taken to use.
const FIRST_SHARE: f64 = 0.1;
/// Average distances from the average that are reserved beyond it.
const SPREADS: f64 = 2.0;
/// How much the latest call counts.
const WEIGHT: f64 = 0.2;

/// Moving averages of one model.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Estimate {
    /// Input tokens, without those read from the cache, for a byte of the request.
    input_per_byte: Option<f64>,
    output: Option<f64>,
    /// How far replies lie from that on average.
    spread: f64,
}

impl Estimate {
    /// Input and output tokens of a request of so many bytes.
    pub(super) fn of(&self, bytes: usize, max_tokens: u32) -> [u64; 2] {
        let input = bytes as f64 * self.input_per_byte.unwrap_or(1.0 / BYTES_PER_TOKEN);
        let most = f64::from(max_tokens);
        // Where replies differ, a long one is expected: short ones give back what they did not take.
        let output =
            self.output.map_or(most * FIRST_SHARE, |output| output + SPREADS * self.spread).min(most);
        [input.ceil() as u64, output.ceil() as u64]
    }

    /// No reply has shown yet what calls are charged with.
    pub(super) fn is_guess(&self) -> bool {
        self.input_per_byte.is_none()
    }

    /// A call of so many bytes was charged with these.
    pub(super) fn learn(&mut self, bytes: usize, charged: [u64; 2]) {
        let blend = |old: Option<f64>, new: f64| Some(old.map_or(new, |old| old + WEIGHT * (new - old)));
        self.input_per_byte = blend(self.input_per_byte, charged[0] as f64 / bytes.max(1) as f64);
        let output = charged[1] as f64;
        self.spread += WEIGHT * (self.output.map_or(0.0, |expected| (output - expected).abs()) - self.spread);
        self.output = blend(self.output, output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_comes_to_what_calls_are_charged_with() {
        let mut estimate = Estimate::default();
        assert_eq!(estimate.of(4_000, 16_000), [1_000, 1_600]);
        for _ in 0..50 {
            estimate.learn(4_000, [100, 300]);
        }
        assert_eq!(estimate.of(8_000, 16_000), [200, 300]);
        assert_eq!(estimate.of(8_000, 200)[1], 200, "no reply is longer than it may be");
        for n in 0..50 {
            estimate.learn(4_000, [100, if n % 2 == 0 { 100 } else { 2_000 }]);
        }
        let expected = estimate.of(8_000, 16_000)[1];
        assert!((2_000..4_000).contains(&expected), "a long one fits: {expected}");
    }
}
