//! Which local times an expression names.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

/// A leap day can be eight years away.
const YEARS: i32 = 9;

/// The allowed values of each field, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) seconds: u64,
    pub(super) minutes: u64,
    pub(super) hours: u64,
    /// From bit 1 on.
    pub(super) days: u64,
    /// From bit 1 on.
    pub(super) months: u64,
    /// Sunday is bit 0.
    pub(super) weekdays: u64,
    /// Both kinds of day are restricted: then either is enough, as in every cron.
    pub(super) either_day: bool,
}

impl Expression {
    /// False when it fires in every hour.
    pub(super) const fn names_hours(&self) -> bool {
        self.hours != (1 << 24) - 1
    }

    /// The first local time after this one.
    pub(super) fn next(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let start = after.with_nanosecond(0)? + TimeDelta::seconds(1);
        let last_year = start.year() + YEARS;
        let (mut date, mut time) = (start.date(), start.time());
        while date.year() <= last_year {
            if !has(self.months, date.month()) {
                date = month_after(date)?;
                time = NaiveTime::MIN;
                continue;
            }
            if self.names_day(date)
                && let Some(time) = self.time_from(time)
            {
                return Some(date.and_time(time));
            }
            date = date.checked_add_days(Days::new(1))?;
            time = NaiveTime::MIN;
        }
        None
    }

    fn names_day(&self, date: NaiveDate) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().num_days_from_sunday());
        if self.either_day { day || weekday } else { day && weekday }
    }

    /// The first time of day from this one on.
    fn time_from(&self, time: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        let first_second = from(self.seconds, 0)?;
        let first_minute = from(self.minutes, 0)?;
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = from(self.seconds, second)
            {
                return NaiveTime::from_hms_opt(hour, minute, second);
            }
            if let Some(minute) = from(self.minutes, minute + 1) {
                return NaiveTime::from_hms_opt(hour, minute, first_second);
            }
        }
        NaiveTime::from_hms_opt(from(self.hours, hour + 1)?, first_minute, first_second)
    }
}

const fn has(bits: u64, value: u32) -> bool {
    bits >> value & 1 == 1
}

/// The lowest value that is at least `least`.
const fn from(bits: u64, least: u32) -> Option<u32> {
    let rest = bits >> least << least;
    if rest == 0 { None } else { Some(rest.trailing_zeros()) }
}

fn month_after(date: NaiveDate) -> Option<NaiveDate> {
    match date.month() {
        12 => NaiveDate::from_ymd_opt(date.year() + 1, 1, 1),
        month => NaiveDate::from_ymd_opt(date.year(), month + 1, 1),
    }
}
