//! Percentiles of a list of times.

use std::time::Duration;

/// The times of one measurement, in order.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The `percent`th percentile in milliseconds, rounded to microseconds; 0 of nothing.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let index = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        let time = self.0.get(index).copied().unwrap_or_default();
        (time.as_secs_f64() * 1e6).round() / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank() {
        let times = Times::new((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!([50, 95, 99, 100].map(|p| times.percentile(p)), [50.0, 95.0, 99.0, 100.0]);
        assert_eq!(Times::new(Vec::new()).percentile(50), 0.0);
    }
}
