//! Texts and tool inputs with `{{name}}` in them.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// What was captured, by name.
pub(super) type Captured = HashMap<String, String>;

#[expect(clippy::expect_used, reason = "a constant pattern either compiles always or never; a test runs it")]
static SLOT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:\|\s*([a-z]+)\s*)?\}\}")
        .expect("the pattern is constant and compiles")
});

#[expect(clippy::expect_used, reason = "a constant pattern either compiles always or never; a test runs it")]
static LINE_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^ *\d+\t").expect("the pattern is constant and compiles"));

#[derive(Clone, Copy, Debug, PartialEq)]
enum Filter {
    /// As it was captured.
    Plain,
    /// Without the line numbers that file readers put before each line.
    Unnumbered,
    /// Without white space around it.
    Trim,
    /// As a number, where the slot is the whole of a tool's input field.
    Int,
}

/// A slot that names no filter of ours.
pub(super) struct UnknownFilter(pub(super) String);

/// A text with slots.
#[derive(Debug)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Slot(String, Filter),
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, UnknownFilter> {
        let mut parts = Vec::new();
        let mut end = 0;
        for slot in SLOT.captures_iter(text) {
            let (whole, [name]) = match (slot.get(0), slot.get(1)) {
                (Some(whole), Some(name)) => (whole.range(), [name.as_str()]),
                _ => continue,
            };
            let filter = match slot.get(2).map(|filter| filter.as_str()) {
                None => Filter::Plain,
                Some("unnumbered") => Filter::Unnumbered,
                Some("trim") => Filter::Trim,
                Some("int") => Filter::Int,
                Some(other) => return Err(UnknownFilter(other.to_owned())),
            };
            parts.push(Part::Text(text[end..whole.start].to_owned()));
            parts.push(Part::Slot(name.to_owned(), filter));
            end = whole.end;
        }
        parts.push(Part::Text(text[end..].to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self { parts })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Slot(name, _) => Some(name.as_str()),
        })
    }

    pub(super) fn fill(&self, captured: &Captured) -> String {
        self.parts.iter().map(|part| part.fill(captured)).collect()
    }

    fn fill_value(&self, captured: &Captured) -> Value {
        let text = self.fill(captured);
        match (self.parts.as_slice(), text.trim().parse::<i64>()) {
            ([Part::Slot(_, Filter::Int)], Ok(number)) => number.into(),
            _ => text.into(),
        }
    }
}

impl Part {
    fn fill(&self, captured: &Captured) -> String {
        let (name, filter) = match self {
            Self::Text(text) => return text.clone(),
            Self::Slot(name, filter) => (name, filter),
        };
        let value = captured.get(name).map(String::as_str).unwrap_or_default();
        match filter {
            Filter::Plain => value.to_owned(),
            Filter::Unnumbered => LINE_NUMBER.replace_all(value, "").into_owned(),
            Filter::Trim | Filter::Int => value.trim().to_owned(),
        }
    }
}

/// A tool's input with slots in its strings. Slots are filled inside JSON strings, so nothing needs escaping.
#[derive(Debug)]
pub(super) enum Input {
    Fixed(Value),
    Text(Template),
    List(Vec<Input>),
    Fields(Vec<(String, Input)>),
}

impl Input {
    pub(super) fn parse(value: Value) -> Result<Self, UnknownFilter> {
        Ok(match value {
            Value::String(text) => Self::Text(Template::parse(&text)?),
            Value::Array(items) => Self::List(items.into_iter().map(Self::parse).collect::<Result<_, _>>()?),
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, value)| Ok((name, Self::parse(value)?)));
                Self::Fields(fields.collect::<Result<_, _>>()?)
            }
            fixed @ (Value::Null | Value::Bool(_) | Value::Number(_)) => Self::Fixed(fixed),
        })
    }

    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::Text(template) => template.names().collect(),
            Self::List(items) => items.iter().flat_map(Self::names).collect(),
            Self::Fields(fields) => fields.iter().flat_map(|(_, value)| value.names()).collect(),
        }
    }

    pub(super) fn fill(&self, captured: &Captured) -> Value {
        match self {
            Self::Fixed(value) => value.clone(),
            Self::Text(template) => template.fill_value(captured),
            Self::List(items) => items.iter().map(|item| item.fill(captured)).collect(),
            Self::Fields(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), value.fill(captured)));
                Value::Object(fields.collect())
            }
        }
    }
}
