//! Reading a cron expression, and saying what is wrong with one.

use super::expression::Expression;

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
    /// A nickname nobody knows.
    #[error("{0:?} is none of @hourly, @daily, @weekly, @monthly, @yearly")]
    Nickname(String),
    /// The zone.
    #[error("{0:?} is no time zone of the IANA database, such as Europe/Berlin")]
    Zone(String),
}

/// What a field may hold.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 6] = [
    Field { name: "second", least: 0, most: 59, names: &[] },
    Field { name: "minute", least: 0, most: 59, names: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[] },
    Field { name: "day of the month", least: 1, most: 31, names: &[] },
    Field { name: "month", least: 1, most: 12, names: &MONTHS },
    // 7 is Sunday too.
    Field { name: "day of the week", least: 0, most: 7, names: &WEEKDAYS },
];

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, CronError> {
        let text = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            other if other.starts_with('@') => return Err(CronError::Nickname(other.to_owned())),
            other => other,
        };
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        match fields.len() {
            5 => fields.insert(0, "0"),
            6 => {}
            count => return Err(CronError::Fields(count)),
        }
        let mut bits = [0_u64; 6];
        for ((bits, field), text) in bits.iter_mut().zip(&FIELDS).zip(&fields) {
            *bits = field.parse(text)?;
        }
        let [seconds, minutes, hours, days, months, mut weekdays] = bits;
        weekdays = (weekdays | weekdays >> 7) & 0x7f;
        let either_day = !fields[3].starts_with('*') && !fields[5].starts_with('*');
        Ok(Self { seconds, minutes, hours, days, months, weekdays, either_day })
    }
}

impl Field {
    fn parse(&self, text: &str) -> Result<u64, CronError> {
        let wrong = |problem| CronError::Field { field: self.name, text: text.to_owned(), problem };
        text.split(',').try_fold(0, |bits, part| Ok(bits | self.part(part).map_err(wrong)?))
    }

    /// `*`, `5`, `1-5`, each of them perhaps with `/2`.
    fn part(&self, part: &str) -> Result<u64, String> {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => match step.parse::<u32>() {
                Ok(step) if (1..=self.most).contains(&step) => (range, Some(step)),
                _ => return Err(format!("the step {step:?} is not a number from 1 to {}", self.most)),
            },
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((first, last)) => match (self.value(first)?, self.value(last)?) {
                // A week that ends on Sunday.
                (first, 0) if self.most == 7 && first > 0 => (first, 7),
                range => range,
            },
            None => {
                let value = self.value(range)?;
                (value, if step.is_some() { self.most } else { value })
            }
        };
        if first > last {
            return Err(format!("the range {range} runs backwards"));
        }
        Ok((first..=last).step_by(step.unwrap_or(1) as usize).fold(0, |bits, value| bits | 1 << value))
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let lower = text.to_ascii_lowercase();
        if let Some(place) = self.names.iter().position(|name| *name == lower) {
            return Ok(place as u32 + self.least);
        }
        match text.parse::<u32>() {
            Ok(value) if (self.least..=self.most).contains(&value) => Ok(value),
            _ if text.is_empty() => Err("a value is missing".to_owned()),
            _ => {
                let names = if self.names.is_empty() {
                    String::new()
                } else {
                    format!(" or a name such as {}", self.names[1])
                };
                Err(format!("{text:?} is not a number from {} to {}{names}", self.least, self.most))
            }
        }
    }
}
