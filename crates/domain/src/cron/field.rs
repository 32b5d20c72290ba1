//! One field of an expression: written as the crate reads it, or what the crate finds wrong with it.

use cron::{Schedule, TimeUnitSpec};

use super::CronError;

/// What a field may hold.
pub(super) struct Field {
    place: usize,
    name: &'static str,
    least: u32,
    most: u32,
    example: &'static str,
}

const MONTH: usize = 4;
const WEEKDAY: usize = 5;

pub(super) const FIELDS: [Field; 6] = [
    Field { place: 0, name: "second", least: 0, most: 59, example: "" },
    Field { place: 1, name: "minute", least: 0, most: 59, example: "" },
    Field { place: 2, name: "hour", least: 0, most: 23, example: "" },
    Field { place: 3, name: "day of the month", least: 1, most: 31, example: "" },
    Field { place: MONTH, name: "month", least: 1, most: 12, example: " or a name such as feb" },
    // 7 is Sunday too.
    Field { place: WEEKDAY, name: "day of the week", least: 0, most: 7, example: " or a name such as mon" },
];

impl Field {
    /// The field as the crate reads it.
    pub(super) fn read(&self, text: &str) -> Result<String, CronError> {
        let parts: Vec<String> = text.split(',').map(|part| self.translate(part)).collect();
        let read = parts.join(",");
        if self.alone(&read).is_some() {
            return Ok(read);
        }
        let wrong = text.split(',').find(|part| self.alone(&self.translate(part)).is_none());
        let problem = self.problem(wrong.unwrap_or(text));
        Err(CronError::Field { field: self.name, text: text.to_owned(), problem })
    }

    /// Asks the crate about this field among others that hold all. The crate needs no space between two fields: with
    /// the year that may come last in its place, what is more than one field is one too many.
    fn alone(&self, text: &str) -> Option<Schedule> {
        let mut fields = ["*"; 7];
        fields[self.place] = text;
        if text.is_empty() { None } else { fields.join(" ").parse().ok() }
    }

    /// A part of a list. The crate counts days of the week from Sunday = 1, ends the week with Saturday, and takes no
    /// name beside a number: both kinds of names become lists of its numbers.
    fn translate(&self, part: &str) -> String {
        let list = if self.place < MONTH { None } else { self.numbers(part) };
        list.map_or_else(|| part.to_owned(), |numbers| numbers.join(","))
    }

    /// The crate's numbers; none for what it reads or refuses as it is.
    fn numbers(&self, part: &str) -> Option<Vec<String>> {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => {
                self.alone(&format!("*/{step}"))?;
                (range, Some(step.parse().ok()?))
            }
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            None if step.is_some() => (self.number(range)?, self.most),
            None => (self.number(range)?, self.number(range)?),
        };
        let weekday = self.place == WEEKDAY;
        // A week that ends on Sunday.
        let last = if weekday && last == 0 && first > 0 { 7 } else { last };
        let number = |value: u32| if weekday { value % 7 + 1 } else { value }.to_string();
        (first <= last).then(|| (first..=last).step_by(step.unwrap_or(1)).map(number).collect())
    }

    /// A number as it is written, or that of a name the crate knows.
    fn number(&self, text: &str) -> Option<u32> {
        let only = |byte: fn(&u8) -> bool| text.as_bytes().iter().all(byte);
        if only(u8::is_ascii_digit) {
            return text.parse().ok().filter(|value| (self.least..=self.most).contains(value));
        }
        let schedule = if only(u8::is_ascii_alphabetic) { self.alone(text)? } else { return None };
        if self.place == MONTH {
            schedule.months().iter().next()
        } else {
            schedule.days_of_week().iter().next().map(|number| number - 1)
        }
    }

    /// What is wrong with a part that the crate refuses: the piece of it that it refuses by itself.
    fn problem(&self, part: &str) -> String {
        let (least, most, example) = (self.least, self.most, self.example);
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        if let Some(step) = step
            && self.alone(&format!("*/{step}")).is_none()
        {
            return format!("the step {step:?} is not a number from 1 to {most}");
        }
        let values: Vec<&str> = range.split('-').collect();
        let wrong = |value: &&&str| {
            values.len() > 1 && **value == "*" || self.alone(&self.translate(value)).is_none()
        };
        match (values.iter().find(wrong), values.len()) {
            (Some(&""), _) => "a value is missing".to_owned(),
            (Some(value), _) => format!("{value:?} is not a number from {least} to {most}{example}"),
            (None, 2) => format!("the range {range} runs backwards"),
            (None, _) => format!("{part:?} is no value, range or step"),
        }
    }
}
