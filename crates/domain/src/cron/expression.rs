//! Which local times an expression names.

use std::ops::Range;

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, Weekday};
use cron::{Schedule, TimeUnitSpec};

/// What fires at all fires within this time: the 29th of February is the same day of the week after 40 years at most.
const YEARS: i32 = 40;
/// Years of the crate's calendar, which ends with 2100, that begin and end on all days of the week that a year can.
const TWINS: Range<i32> = 2072..2100;

/// A time that one of the schedules names.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) schedules: Vec<Schedule>,
}

impl Expression {
    /// False when it fires in every hour.
    pub(super) fn names_hours(&self) -> bool {
        !self.schedules.iter().all(|schedule| schedule.hours().is_all())
    }

    /// The first local time after this one.
    pub(super) fn next(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let year = after.year();
        self.next_in(year, after).or_else(|| {
            let next = |year| self.next_in(year, new_year(year)? - TimeDelta::seconds(1));
            (year + 1..=year + YEARS).find_map(next)
        })
    }

    /// The first one in this year, looked for in its twin.
    fn next_in(&self, year: i32, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let twin = TWINS.clone().find(|twin| shape(*twin) == shape(year))?;
        let after = new_year(twin)? + (after - new_year(year)?);
        let next = |schedule: &Schedule| schedule.after(&after.and_utc()).next();
        let next = self.schedules.iter().filter_map(next).min()?.naive_utc();
        (next.year() == twin).then(|| next.with_year(year)).flatten()
    }
}

/// The days of the week on which a year begins and ends. Two years of one shape have the same days.
fn shape(year: i32) -> [Option<Weekday>; 2] {
    [(1, 1), (12, 31)]
        .map(|(month, day)| NaiveDate::from_ymd_opt(year, month, day).map(|date| date.weekday()))
}

fn new_year(year: i32) -> Option<NaiveDateTime> {
    NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)
}
