//! The strikes and their times, chosen by the seed alone.

use std::{fmt, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use crate::{process::Kind, proxy::Harm};

/// Beyond the lease of 8 s, and the pass that takes the tasks back.
const FREEZE: Duration = Duration::from_secs(14);
/// Nothing but kills happens at the beginning and the end.
const MARGIN: Duration = Duration::from_secs(4);

/// Whose connections a proxy carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Postgres,
    Redis,
    Claude,
}

/// One thing that is done to the fleet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Strike {
    /// `kill -9` of the nth of its kind.
    Kill(Kind, usize),
    /// SIGTERM, and a new life when it has drained.
    Restart(Kind, usize),
    Freeze(usize),
    Thaw(usize),
    FlushRedis,
    KillRedis,
    StartRedis,
    FreezeRedis,
    ThawRedis,
    CrashPostgres,
    Harm(Line, Harm),
}

impl Strike {
    pub(crate) const fn kills_a_worker(self) -> bool {
        matches!(self, Self::Kill(Kind::Worker, _))
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(kind, nth) => write!(f, "kill -9 {} {}", kind.program(), nth + 1),
            Self::Restart(kind, nth) => write!(f, "SIGTERM {} {}", kind.program(), nth + 1),
            Self::Freeze(nth) => write!(f, "freeze hive-worker {}", nth + 1),
            Self::Thaw(nth) => write!(f, "thaw hive-worker {}", nth + 1),
            other => write!(f, "{other:?}"),
        }
    }
}

/// How many of each there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amounts {
    pub(crate) flushes: usize,
    pub(crate) redis_kills: usize,
    pub(crate) redis_freezes: usize,
    pub(crate) postgres_crashes: usize,
    pub(crate) worker_freezes: usize,
    pub(crate) restarts: usize,
    pub(crate) harms: usize,
    /// The shortest and the longest time between two kills, in milliseconds.
    pub(crate) kill_every_ms: (u64, u64),
}

impl Amounts {
    pub(crate) const fn of(long: bool) -> Self {
        if long {
            Self {
                flushes: 5,
                redis_kills: 3,
                redis_freezes: 5,
                postgres_crashes: 3,
                worker_freezes: 6,
                restarts: 12,
                harms: 12,
                kill_every_ms: (3_500, 6_500),
            }
        } else {
            Self {
                flushes: 3,
                redis_kills: 2,
                redis_freezes: 3,
                postgres_crashes: 2,
                worker_freezes: 2,
                restarts: 4,
                harms: 5,
                kill_every_ms: (2_000, 5_000),
            }
        }
    }
}

/// All strikes of `span`, in order.
pub(crate) fn plan(seed: u64, span: Duration, amounts: &Amounts) -> Vec<(Duration, Strike)> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut strikes = Vec::new();
    let mut frozen = Vec::new();
    for at in spread(&mut dice, amounts.worker_freezes, span.saturating_sub(FREEZE)) {
        let worker = dice.random_range(0..3);
        frozen.push((at, at + FREEZE, worker));
        strikes.extend([(at, Strike::Freeze(worker)), (at + FREEZE, Strike::Thaw(worker))]);
    }
    // A worker that is frozen is left alone, so that it wakes up to a task that was taken over.
    let free = |at: Duration, nth: usize| {
        !frozen.iter().any(|(from, to, worker)| *worker == nth && (*from..=*to).contains(&at))
    };
    let mut at = MARGIN / 2;
    while at < span {
        let kind = match dice.random_range(0..10) {
            0 => Kind::Api,
            1 => Kind::Scheduler,
            _ => Kind::Worker,
        };
        let mut nth = dice.random_range(0..if kind == Kind::Worker { 3 } else { 2 });
        while kind == Kind::Worker && !free(at, nth) {
            nth = (nth + 1) % 3;
        }
        strikes.push((at, Strike::Kill(kind, nth)));
        let (least, most) = amounts.kill_every_ms;
        at += Duration::from_millis(dice.random_range(least..=most));
    }
    for at in spread(&mut dice, amounts.restarts, span) {
        let kind = *[Kind::Worker, Kind::Worker, Kind::Api, Kind::Scheduler]
            .choose(&mut dice)
            .unwrap_or(&Kind::Worker);
        let nth = dice.random_range(0..2);
        if kind != Kind::Worker || free(at, nth) {
            strikes.push((at, Strike::Restart(kind, nth)));
        }
    }
    strikes.extend(spread(&mut dice, amounts.flushes, span).into_iter().map(|at| (at, Strike::FlushRedis)));
    for at in spread(&mut dice, amounts.redis_kills, span) {
        strikes.extend([(at, Strike::KillRedis), (at + Duration::from_secs(2), Strike::StartRedis)]);
    }
    for at in spread(&mut dice, amounts.redis_freezes, span) {
        strikes.extend([(at, Strike::FreezeRedis), (at + Duration::from_secs(2), Strike::ThawRedis)]);
    }
    strikes.extend(
        spread(&mut dice, amounts.postgres_crashes, span).into_iter().map(|at| (at, Strike::CrashPostgres)),
    );
    let harms = [
        (Line::Postgres, Harm::Latency(Duration::from_millis(80))),
        (Line::Redis, Harm::Cut),
        (Line::Claude, Harm::Throttle(40_000)),
        (Line::Redis, Harm::HalfOpen),
        (Line::Postgres, Harm::Cut),
        (Line::Claude, Harm::Latency(Duration::from_millis(100))),
        (Line::Postgres, Harm::HalfOpen),
        (Line::Redis, Harm::Latency(Duration::from_millis(200))),
    ];
    for (at, (line, harm)) in
        spread(&mut dice, amounts.harms, span).into_iter().zip(harms.into_iter().cycle())
    {
        strikes.extend([
            (at, Strike::Harm(line, harm)),
            (at + Duration::from_secs(3), Strike::Harm(line, Harm::None)),
        ]);
    }
    strikes.sort_by_key(|(at, _)| *at);
    strikes
}

/// `count` times in equal parts of `span`, each somewhere in its part: they neither cluster nor leave a gap.
fn spread(dice: &mut StdRng, count: usize, span: Duration) -> Vec<Duration> {
    let usable = span.saturating_sub(MARGIN * 2);
    let part = usable / u32::try_from(count.max(1)).unwrap_or(1);
    let within = u64::try_from(part.as_millis()).unwrap_or(0) * 3 / 4;
    (0..count)
        .map(|n| {
            MARGIN
                + part * u32::try_from(n).unwrap_or(0)
                + Duration::from_millis(dice.random_range(0..=within))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(110);

    #[test]
    fn a_seed_is_a_plan() {
        let amounts = Amounts::of(false);
        assert_eq!(plan(7, SPAN, &amounts), plan(7, SPAN, &amounts));
        assert_ne!(plan(7, SPAN, &amounts), plan(8, SPAN, &amounts));
    }

    #[test]
    fn what_is_broken_is_mended_and_nothing_is_left_out() {
        for seed in 0..200 {
            let amounts = Amounts::of(seed % 2 == 0);
            let strikes = plan(seed, SPAN, &amounts);
            let count =
                |wanted: fn(&Strike) -> bool| strikes.iter().filter(|(_, strike)| wanted(strike)).count();
            assert_eq!(count(|s| *s == Strike::FlushRedis), amounts.flushes);
            assert_eq!(count(|s| *s == Strike::KillRedis), amounts.redis_kills);
            assert_eq!(count(|s| *s == Strike::StartRedis), amounts.redis_kills);
            assert_eq!(count(|s| *s == Strike::ThawRedis), amounts.redis_freezes);
            assert_eq!(count(|s| *s == Strike::CrashPostgres), amounts.postgres_crashes);
            assert_eq!(count(|s| matches!(s, Strike::Freeze(_))), count(|s| matches!(s, Strike::Thaw(_))));
            let harmed = |s: &Strike| matches!(s, Strike::Harm(_, harm) if *harm != Harm::None);
            assert_eq!(strikes.iter().filter(|(_, s)| harmed(s)).count(), amounts.harms);
            assert!(count(|s| matches!(s, Strike::Kill(..))) >= 15);
            assert!(strikes.is_sorted_by_key(|(at, _)| *at));
        }
    }
}
