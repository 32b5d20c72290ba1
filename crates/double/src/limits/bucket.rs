//! A token bucket: it fills evenly, and a full one lets a burst through.

use chrono::{DateTime, TimeDelta, Utc};

const MINUTE_MILLIS: i128 = 60_000;

/// Counts in 1/60,000 of a unit, so that a millisecond of filling is a whole number for every limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    per_minute: i128,
    capacity: i128,
    level: i128,
    at: DateTime<Utc>,
}

impl Bucket {
    pub(super) fn full(per_minute: u64, burst_seconds: u64, now: DateTime<Utc>) -> Self {
        let per_minute = i128::from(per_minute);
        let capacity = per_minute * 1_000 * i128::from(burst_seconds);
        Self { per_minute, capacity, level: capacity, at: now }
    }

    fn refill(&mut self, now: DateTime<Utc>) {
        let passed = (now - self.at).num_milliseconds().max(0);
        self.level = (self.level + i128::from(passed) * self.per_minute).min(self.capacity);
        self.at += TimeDelta::milliseconds(passed);
    }

    /// Time until so much is there; zero when it is. More than a full bucket holds is waited for as for a full one, and
    /// one moment more.
    pub(super) fn wait_for(&mut self, units: u64, now: DateTime<Utc>) -> TimeDelta {
        self.refill(now);
        let wanted = i128::from(units) * MINUTE_MILLIS;
        if wanted > self.capacity {
            return self.time_for(self.capacity - self.level) + TimeDelta::milliseconds(1);
        }
        self.time_for(wanted - self.level)
    }

    pub(super) fn take(&mut self, units: u64, now: DateTime<Utc>) {
        self.refill(now);
        self.level -= i128::from(units) * MINUTE_MILLIS;
    }

    /// What is left, and the time until the bucket is full.
    pub(super) fn state(&mut self, now: DateTime<Utc>) -> (u64, TimeDelta) {
        self.refill(now);
        let left = u64::try_from(self.level.max(0) / MINUTE_MILLIS).unwrap_or(u64::MAX);
        (left, self.time_for(self.capacity - self.level))
    }

    fn time_for(&self, lacking: i128) -> TimeDelta {
        let millis = (lacking.max(0) + self.per_minute - 1) / self.per_minute.max(1);
        TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX / 2).min(i64::MAX / 2))
    }
}

/// The share that so many units are of what a limit per minute lets through in some seconds.
#[expect(clippy::cast_precision_loss, reason = "a share is read by people and compared with tenths")]
pub(super) fn share(units: u64, per_minute: u64, seconds: i64) -> f64 {
    units as f64 * 60.0 / (per_minute.max(1) as f64 * seconds as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_empties_and_fills_evenly() {
        let start = DateTime::UNIX_EPOCH;
        let after = |seconds| start + TimeDelta::seconds(seconds);
        let mut bucket = Bucket::full(60, 60, start);
        assert_eq!(bucket.wait_for(60, start), TimeDelta::zero());
        bucket.take(60, start);
        assert_eq!(bucket.state(start), (0, TimeDelta::seconds(60)));
        assert_eq!(bucket.wait_for(10, start), TimeDelta::seconds(10));
        assert_eq!(bucket.wait_for(10, after(9)), TimeDelta::seconds(1));
        assert_eq!(bucket.wait_for(10, after(10)), TimeDelta::zero());
        assert_eq!(bucket.state(after(600)), (60, TimeDelta::zero()), "it holds no more than a burst");
        assert!(bucket.wait_for(61, after(600)) > TimeDelta::zero(), "what no bucket holds never fits");
        bucket.take(90, after(600));
        assert_eq!(bucket.state(after(600)), (0, TimeDelta::seconds(90)), "debts are paid off first");
    }
}
