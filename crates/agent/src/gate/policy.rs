//! How the gate decides.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

/// The longest that nobody calls a model because of refusals that name no time.
pub const LONGEST_UNNAMED: Duration = Duration::from_secs(900);

/// Its settings.
#[derive(Clone, Debug)]
pub struct GatePolicy {
    /// What a minute may hold, by model; without an entry the provider's headers say it.
    pub limits: RateLimits,
    /// The longest wait for a place with which a worker keeps its slot.
    pub longest_wait: Duration,
    /// Failures of a model in a row that open its breaker.
    pub failures_in_a_row: u32,
    /// Or half of so many ends.
    pub ends_looked_at: u32,
    /// That are not older than this.
    pub ends_window: Duration,
    /// How long an open breaker lets nobody try; doubled after each try that fails, up to fourfold.
    pub breaker_pause: Duration,
    /// A try that is not heard of for so long is forgotten.
    pub probe_within: Duration,
    /// How often one call tries a stopped key.
    pub key_probe_every: Duration,
    /// How long nobody calls a model whose provider refuses for its rate and names no time; doubled until it answers, up to
    /// 15 minutes.
    pub unnamed_hold: Duration,
    /// How many of a minute's calls of the fleet may repeat a failed one, in percent, and at least so many.
    pub repeats_allowed: (u32, u32),
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            limits: RateLimits::default(),
            longest_wait: Duration::from_millis(1_700),
            failures_in_a_row: 10,
            ends_looked_at: 20,
            ends_window: Duration::from_secs(30),
            breaker_pause: Duration::from_secs(10),
            probe_within: Duration::from_secs(90),
            key_probe_every: Duration::from_secs(300),
            unnamed_hold: Duration::from_secs(60),
            repeats_allowed: (10, 10),
        }
    }
}

/// Requests, input and output tokens a minute, by model id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    by_model: BTreeMap<String, [u64; 3]>,
}

impl RateLimits {
    /// Those of a model; 0 where none is set.
    #[must_use]
    pub fn of(&self, model: &str) -> [u64; 3] {
        self.by_model.get(model).copied().unwrap_or_default()
    }
}

impl FromStr for RateLimits {
    type Err = String;

    /// Reads `model=requests/input/output,…`; 0 leaves a limit to the provider's headers.
    fn from_str(text: &str) -> Result<Self, String> {
        let entry = |pair: &str| {
            let (model, limits) = pair.split_once('=')?;
            let limits: Vec<u64> = limits.split('/').map(|n| n.trim().parse().ok()).collect::<Option<_>>()?;
            let limits: [u64; 3] = limits.try_into().ok()?;
            let is_sane = !model.trim().is_empty() && limits.iter().all(|limit| *limit <= 1_000_000_000_000);
            is_sane.then(|| (hive_claude::limit_name(model.trim()).to_owned(), limits))
        };
        let entries = text.split(',').filter(|pair| !pair.trim().is_empty()).map(|pair| {
            entry(pair).ok_or_else(|| format!("{pair:?} is not of the form model=requests/input/output"))
        });
        Ok(Self { by_model: entries.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_by_model() {
        let limits: RateLimits = "model-a=1000/500000/0, model-b=1/2/3".parse().unwrap();
        assert_eq!(limits.of("model-a"), [1_000, 500_000, 0]);
        assert_eq!(limits.of("model-b"), [1, 2, 3]);
        assert_eq!(limits.of("model-c"), [0; 3]);
        assert_eq!("".parse(), Ok(RateLimits::default()));
        for bad in ["model-a", "=1/2/3", "m=1/2", "m=1/2/3/4", "m=-1/2/3", "m=9999999999999/1/1"] {
            assert!(bad.parse::<RateLimits>().is_err(), "{bad}");
        }
    }
}
