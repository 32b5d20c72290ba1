//! Reading a cron expression, and saying what is wrong with one.

use cron::Schedule;

use super::{expression::Expression, field::FIELDS};

/// Why an expression or a zone cannot be used, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// The number of fields.
    #[error(
        "has {0} fields; write five (minute, hour, day of month, month, day of week), six with seconds first, or one of \
         @hourly, @daily, @weekly, @monthly, @yearly"
    )]
    Fields(usize),
    /// One field.
    #[error("the field for the {field} is {text:?}: {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// As it was written.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Fields of which each can be read.
    #[error("cannot be read as a whole: {0}")]
    Whole(String),
    /// A nickname nobody knows.
    #[error("{0:?} is none of @hourly, @daily, @weekly, @monthly, @yearly")]
    Nickname(String),
    /// The zone.
    #[error("{0:?} is no time zone of the IANA database, such as Europe/Berlin")]
    Zone(String),
}

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, CronError> {
        let text = match text.trim() {
            "@midnight" => "@daily",
            "@annually" => "@yearly",
            other => other,
        };
        if text.starts_with('@') {
            let schedule = text.parse().map_err(|_| CronError::Nickname(text.to_owned()))?;
            return Ok(Self { schedules: vec![schedule] });
        }
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        match fields.len() {
            5 => fields.insert(0, "0"),
            6 => {}
            count => return Err(CronError::Fields(count)),
        }
        let read: Vec<String> =
            FIELDS.iter().zip(&fields).map(|(field, text)| field.read(text)).collect::<Result<_, _>>()?;
        let [second, minute, hour, day, month, weekday] =
            [0, 1, 2, 3, 4, 5].map(|place| read[place].as_str());
        let restricted = |text: &str| !text.starts_with(['*', '?']);
        // With both kinds of day restricted either is enough, as in every cron; the crate wants both.
        let days = if restricted(day) && restricted(weekday) {
            vec![(day, "*"), ("*", weekday)]
        } else {
            vec![(day, weekday)]
        };
        let schedules = days.into_iter().map(|(day, weekday)| {
            let schedule = [second, minute, hour, day, month, weekday].join(" ").parse::<Schedule>();
            schedule.map_err(|error| CronError::Whole(error.to_string()))
        });
        Ok(Self { schedules: schedules.collect::<Result<_, _>>()? })
    }
}
