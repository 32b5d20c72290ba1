//! What a worker does by itself while Redis is away: it paces its calls to its share of the rate, and counts failures and
//! repeats of its own.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use hive_queue::{Ended, Grant};

use super::GatePolicy;

/// Calls may come together for so long.
const BURST: Duration = Duration::from_millis(250);
/// A little below the limit, as the fleet's script has it.
const BELOW: f64 = 0.92;
/// The farthest that a bucket is taken to be full, as in the fleet's script: one wrong figure ends with it.
const FAR: Duration = Duration::from_secs(600);
const MINUTE: Duration = Duration::from_secs(60);

/// One model.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// For each limit, when its bucket is empty again.
    empty_at: [Option<Instant>; 3],
    /// The last place that was given; none lies before it, whatever is given back.
    last: Option<Instant>,
    /// How the last calls ended, the newest first.
    ends: VecDeque<(Instant, bool)>,
    minute: Option<Instant>,
    calls: u32,
    repeats: u32,
}

impl Share {
    /// As the fleet's script, of `limits` that are this worker's part; 0 for none.
    pub(super) fn reserve(
        &mut self,
        now: Instant,
        costs: [u64; 2],
        limits: [f64; 3],
        repeats: bool,
        policy: &GatePolicy,
    ) -> Grant {
        if self.minute.is_none_or(|minute| now >= minute + MINUTE) {
            (self.minute, self.calls, self.repeats) = (Some(now), 0, 0);
        }
        let (percent, least) = policy.repeats_allowed;
        if repeats && self.repeats >= least.max(self.calls.saturating_mul(percent) / 100) {
            let left = self.minute.map_or(MINUTE, |minute| (minute + MINUTE).saturating_duration_since(now));
            return Grant::TooManyRepeats(left);
        }
        let start = (0..3)
            .filter(|limit| limits[*limit] > 0.0)
            .filter_map(|limit| self.empty_at[limit]?.checked_sub(BURST))
            .fold(now, Instant::max);
        let is_paced = limits.iter().any(|limit| *limit > 0.0);
        let start = start.max(self.last.filter(|_| is_paced).unwrap_or(now));
        let wait = start - now;
        if wait > policy.longest_wait {
            return Grant::Full(wait);
        }
        for (limit, cost) in [1, costs[0], costs[1]].into_iter().enumerate() {
            if limits[limit] > 0.0 {
                let takes = takes(cost as f64, limits[limit]);
                let full = self.empty_at[limit].map_or(start, |at| at.max(start)) + takes;
                self.empty_at[limit] = Some(full.min(now + FAR));
            }
        }
        self.last = Some(start);
        self.calls += 1;
        self.repeats += u32::from(repeats);
        Grant::Go(wait)
    }

    /// Corrects what was taken of each limit, as far as it was asked for and not charged, or the reverse; true: too many calls of this worker failed lately.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        asked: [u64; 3],
        charged: [u64; 3],
        limits: [f64; 3],
        ended: Ended,
        policy: &GatePolicy,
    ) -> bool {
        for limit in 0..3 {
            let (asked, charged) = (asked[limit] as f64, charged[limit] as f64);
            if let Some(at) = self.empty_at[limit]
                && limits[limit] > 0.0
            {
                self.empty_at[limit] = if charged >= asked {
                    Some((at + takes(charged - asked, limits[limit])).min(now + FAR))
                } else {
                    at.checked_sub(takes(asked - charged, limits[limit]))
                };
            }
        }
        let failed = match ended {
            Ended::Neither => return false,
            Ended::Answered => false,
            Ended::Failed => true,
        };
        self.ends.push_front((now, failed));
        self.ends.truncate(policy.ends_looked_at.max(policy.failures_in_a_row) as usize);
        let in_a_row = self.ends.iter().take_while(|(_, failed)| *failed).count();
        let recent = |end: &&(Instant, bool)| now.saturating_duration_since(end.0) <= policy.ends_window;
        let looked_at = policy.ends_looked_at as usize;
        let ends: Vec<bool> = self.ends.iter().take(looked_at).filter(recent).map(|(_, f)| *f).collect();
        let half = ends.len() == looked_at && ends.iter().filter(|f| **f).count() * 2 >= looked_at;
        let too_many = failed && (in_a_row >= policy.failures_in_a_row as usize || half);
        if too_many {
            self.ends.clear();
        }
        too_many
    }
}

/// How long a bucket of so much a minute needs to take `amount`.
fn takes(amount: f64, per_minute: f64) -> Duration {
    Duration::try_from_secs_f64(amount * 60.0 / (per_minute * BELOW)).map_or(FAR, |takes| takes.min(FAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_holds_more_than_the_share_and_most_of_it_is_used() {
        let (policy, start) = (GatePolicy::default(), Instant::now());
        let (mut share, mut made, mut now) = (Share::default(), Vec::new(), start);
        while now < start + Duration::from_secs(60) {
            if let Grant::Go(wait) = share.reserve(now, [0, 0], [600.0, 0.0, 0.0], false, &policy) {
                made.push(now + wait);
            }
            now += Duration::from_millis(20);
        }
        for (n, first) in made.iter().enumerate() {
            let in_window = made[n..].iter().take_while(|at| **at < *first + Duration::from_secs(10)).count();
            assert!(in_window <= 105, "{in_window} from call {n}");
        }
        assert!(made.len() >= 510, "{}", made.len());
    }

    #[test]
    fn one_wrong_figure_holds_for_ten_minutes_at_most() {
        let (policy, now) = (GatePolicy::default(), Instant::now());
        let limits = [0.0, 1_000.0, 0.0];
        for wrong in [1 << 40, u64::MAX] {
            let mut share = Share::default();
            assert_eq!(share.reserve(now, [10, 0], limits, false, &policy), Grant::Go(Duration::ZERO));
            share.settle(now, [0, 10, 0], [0, wrong, 0], limits, Ended::Answered, &policy);
            let later = now + FAR;
            assert!(matches!(share.reserve(now, [10, 0], limits, false, &policy), Grant::Full(_)));
            assert_eq!(share.reserve(later, [10, 0], limits, false, &policy), Grant::Go(Duration::ZERO));
        }
    }

    #[test]
    fn ten_in_a_row_or_half_of_twenty_are_too_many() {
        let (policy, now) = (GatePolicy::default(), Instant::now());
        let end = |share: &mut Share, ended| share.settle(now, [0; 3], [0; 3], [0.0; 3], ended, &policy);
        let mut share = Share::default();
        for _ in 0..9 {
            assert!(!end(&mut share, Ended::Failed));
        }
        assert!(!end(&mut share, Ended::Neither), "what says nothing breaks no row");
        assert!(end(&mut share, Ended::Failed));

        let mut share = Share::default();
        for n in 0..19 {
            let ended = if n % 2 == 0 { Ended::Answered } else { Ended::Failed };
            assert!(!end(&mut share, ended));
        }
        assert!(end(&mut share, Ended::Failed));
    }

    #[test]
    fn repeats_have_a_bound_of_their_own() {
        let (policy, now) = (GatePolicy::default(), Instant::now());
        let mut share = Share::default();
        let mut ask = |repeats| share.reserve(now, [0; 2], [0.0; 3], repeats, &policy);
        for _ in 0..10 {
            assert!(matches!(ask(true), Grant::Go(_)));
        }
        assert!(matches!(ask(true), Grant::TooManyRepeats(_)));
        assert!(matches!(ask(false), Grant::Go(_)));
    }
}
