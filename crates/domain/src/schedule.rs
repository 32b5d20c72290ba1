//! What a schedule does with slots that meet a task still running, and with slots that nobody was there for.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    cron::Cadence,
    status::{UnknownName, names},
};

names! {
    /// What a slot does while the task of an earlier one has not ended.
    Overlap, "overlap policy" {
        /// It fires all the same.
        Allow = "allow",
        /// It is skipped.
        Skip = "skip",
        /// It waits for the end; one waits, further ones are skipped.
        Queue = "queue",
    }
}

names! {
    /// What happens to slots that were missed, as while no scheduler ran.
    CatchUp, "catch-up policy" {
        /// They are dropped.
        None = "none",
        /// The latest fires.
        One = "one",
        /// All fire, oldest first, as far as the schedule's bound allows.
        All = "all",
    }
}

names! {
    /// What became of a slot.
    SlotOutcome, "slot outcome" {
        /// It made what the schedule makes.
        Fired = "fired",
        /// It waits for the task of an earlier slot.
        Waiting = "waiting",
        /// The task of an earlier slot had not ended.
        Skipped = "skipped",
        /// What the schedule makes was refused; the detail says why.
        Refused = "refused",
        /// Nobody was there at its time, and the catch-up policy drops it.
        Missed = "missed",
    }
}

/// Without a wish to catch up, a slot this late still counts as on time.
pub const ON_TIME: TimeDelta = TimeDelta::seconds(2);

/// Which slots from `next` to `now` are to be done, oldest first, at most `bound` of them.
#[must_use]
pub fn due(
    cadence: &Cadence,
    catch_up: CatchUp,
    bound: usize,
    next: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<DateTime<Utc>> {
    match catch_up {
        CatchUp::None => {
            let mut latest = cadence.latest(next, now, 1);
            latest.retain(|slot| now - slot <= ON_TIME);
            latest
        }
        CatchUp::One => cadence.latest(next, now, 1),
        CatchUp::All => cadence.latest(next, now, bound),
    }
}

/// The last `most` slots from `next` to `now` that are not `due`: the policy drops them, and those before them.
#[must_use]
pub fn dropped(
    cadence: &Cadence,
    due: &[DateTime<Utc>],
    next: DateTime<Utc>,
    now: DateTime<Utc>,
    most: usize,
) -> Vec<DateTime<Utc>> {
    // Every policy keeps the latest.
    let until = due.first().map_or(now, |first| *first - TimeDelta::seconds(1));
    cadence.latest(next, until, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn slots_that_were_missed_follow_the_policy() {
        let cadence = Cadence::parse("*/10 * * * * *", "UTC").unwrap();
        let three_missed = |catch_up, bound| due(&cadence, catch_up, bound, at(10), at(35));
        assert!(three_missed(CatchUp::None, 5).is_empty());
        assert_eq!(three_missed(CatchUp::One, 5), [at(30)]);
        assert_eq!(three_missed(CatchUp::All, 5), [at(10), at(20), at(30)]);
        assert_eq!(three_missed(CatchUp::All, 2), [at(20), at(30)]);
        assert_eq!(due(&cadence, CatchUp::None, 5, at(10), at(31)), [at(30)], "this one is on time");
        assert!(due(&cadence, CatchUp::All, 5, at(40), at(35)).is_empty(), "its time has not come");
    }
    #[test]
    fn what_is_not_done_is_dropped() {
        let cadence = Cadence::parse("*/10 * * * * *", "UTC").unwrap();
        let of_three = |catch_up, bound, most| {
            let due = due(&cadence, catch_up, bound, at(10), at(35));
            dropped(&cadence, &due, at(10), at(35), most)
        };
        assert_eq!(of_three(CatchUp::None, 5, 5), [at(10), at(20), at(30)]);
        assert_eq!(of_three(CatchUp::None, 5, 2), [at(20), at(30)]);
        assert_eq!(of_three(CatchUp::One, 5, 5), [at(10), at(20)]);
        assert!(of_three(CatchUp::All, 5, 5).is_empty());
        assert_eq!(of_three(CatchUp::All, 1, 5), [at(10), at(20)]);
        assert!(dropped(&cadence, &[], at(40), at(35), 5).is_empty(), "its time has not come");
    }
}
