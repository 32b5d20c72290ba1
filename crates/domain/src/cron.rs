//! Cron expressions in a time zone: the crate `cron` finds local times, and here they become instants. Pure, with the time
//! as an argument.

mod expression;
mod field;
mod parse;

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use expression::Expression;
pub use parse::CronError;

/// Offsets from UTC lie between these, everywhere and always.
const WEST: TimeDelta = TimeDelta::hours(-15);
const EAST: TimeDelta = TimeDelta::hours(15);
/// The finest that anything fires.
const SECOND: TimeDelta = TimeDelta::seconds(1);
/// No zone changes its offset twice in this time.
const LOOK: TimeDelta = TimeDelta::hours(1);
/// Longer than any jump of a clock, with which two days can be one.
const NEAR: TimeDelta = TimeDelta::hours(50);

/// When something fires: a cron expression, read in a time zone.
///
/// An expression that names hours means local times, each once a day: one that the clock jumps over in spring fires at
/// the jump, and one that comes twice in autumn fires the first time. An expression for every hour means the passing of
/// time: it skips what the clock skips and fires in both of the two equal hours.
#[derive(Clone, Debug)]
pub struct Cadence {
    expression: Expression,
    zone: Tz,
}

impl Cadence {
    /// Reads five fields (minute, hour, day of month, month, day of week), six with seconds first, or `@daily` and its
    /// like; and the name of a zone of the IANA database.
    ///
    /// # Errors
    /// [`CronError`] says which field is wrong, and how.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, CronError> {
        let zone = zone.parse().map_err(|_| CronError::Zone(zone.to_owned()))?;
        Ok(Self { expression: Expression::parse(expression)?, zone })
    }

    /// The first time after this one; `None` for what never comes, such as the 30th of February.
    #[must_use]
    pub fn after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.expression.names_hours() { self.local_after(time) } else { self.passing_after(time) }
    }

    /// The next `count` times after this one.
    #[must_use]
    pub fn upcoming(&self, time: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
        std::iter::successors(self.after(time), |last| self.after(*last)).take(count).collect()
    }

    /// The last `most` times from `first` to `until`, both included, oldest first. A long stretch is not counted
    /// through.
    #[must_use]
    pub fn latest(&self, first: DateTime<Utc>, until: DateTime<Utc>, most: usize) -> Vec<DateTime<Utc>> {
        let mut window = TimeDelta::minutes(1);
        loop {
            let start = first.max(until - window);
            let times = std::iter::successors(self.after(start - SECOND), |last| self.after(*last));
            let mut times: Vec<_> = times.take_while(|time| *time <= until).collect();
            if times.len() >= most || start == first {
                times.drain(..times.len().saturating_sub(most));
                return times;
            }
            window = window * 4;
        }
    }

    /// Each local time once.
    fn local_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut local = time.with_timezone(&self.zone).naive_local();
        loop {
            local = self.expression.next(local)?;
            let at = self.first_instant(local);
            // In the second of two equal hours, what it names has been.
            if at > time {
                return Some(at);
            }
        }
    }

    /// The first instant at which the local clock shows this time, or has jumped over it.
    fn first_instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        if let Some(at) = self.zone.from_local_datetime(&local).earliest() {
            return at.to_utc();
        }
        let shows = |at: DateTime<Utc>| at.with_timezone(&self.zone).naive_local() >= local;
        first(local.and_utc() + WEST, local.and_utc() + EAST, shows)
    }

    /// By the passing of time: within one offset local time and time run alike.
    fn passing_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (mut from, mut offset) = (time, self.offset(time));
        loop {
            let local = self.expression.next((from + delta(offset)).naive_utc())?;
            let at = local.and_utc() - delta(offset);
            if at - from > NEAR {
                from = at - NEAR;
                offset = self.offset(from);
                continue;
            }
            let Some(change) = self.change(from + SECOND, at, offset) else { return Some(at) };
            (from, offset) = (change - SECOND, self.offset(change));
        }
    }

    /// When the offset stops being this one, if it does up to `until`.
    fn change(
        &self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        offset: FixedOffset,
    ) -> Option<DateTime<Utc>> {
        let differs = |at| self.offset(at) != offset;
        let mut start = from;
        while start < until {
            let end = until.min(start + LOOK);
            if differs(end) {
                return Some(first(start - SECOND, end, differs));
            }
            start = end;
        }
        differs(until).then_some(until)
    }

    fn offset(&self, at: DateTime<Utc>) -> FixedOffset {
        self.zone.offset_from_utc_datetime(&at.naive_utc()).fix()
    }
}

const fn delta(offset: FixedOffset) -> TimeDelta {
    TimeDelta::seconds(offset.local_minus_utc() as i64)
}

/// The first second after `before` and up to `holds` from which on the condition holds.
fn first(
    mut before: DateTime<Utc>,
    mut holds: DateTime<Utc>,
    condition: impl Fn(DateTime<Utc>) -> bool,
) -> DateTime<Utc> {
    while holds - before > SECOND {
        let middle = before + TimeDelta::seconds((holds - before).num_seconds() / 2);
        if condition(middle) {
            holds = middle;
        } else {
            before = middle;
        }
    }
    holds
}

#[cfg(test)]
mod tests;
