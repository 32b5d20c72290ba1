//! The fields of an event or a span, clean and bounded.

use std::{error::Error, fmt};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

use super::redactor::Redactor;

/// Bytes of one value that are kept; a tool's output or a model's answer belongs in the journal, not in the log.
const VALUE_BYTES: usize = 8 << 10;

/// What the line itself says; a field of the same name gets a prefix instead of taking its place.
pub(crate) const RESERVED: [&str; 4] = ["timestamp", "level", "target", "process"];

/// Collects fields, each without secrets.
pub(crate) struct Fields<'a> {
    pub(crate) redactor: &'a Redactor,
    pub(crate) map: &'a mut Map<String, Value>,
}

impl Fields<'_> {
    fn insert(&mut self, field: &Field, value: Value) {
        let name = field.name();
        let name = if RESERVED.contains(&name) { format!("field.{name}") } else { name.to_owned() };
        self.map.insert(name, value);
    }

    fn text(&mut self, field: &Field, text: &str) {
        let text = self.redactor.redact(text);
        let end = text.floor_char_boundary(VALUE_BYTES);
        let value = match text.len() - end {
            0 => text.into_owned(),
            left_out => format!("{}… ({left_out} bytes left out)", &text[..end]),
        };
        self.insert(field, value.into());
    }

    /// A number stays a number unless it is a secret.
    fn number(&mut self, field: &Field, number: Value) {
        let text = number.to_string();
        if self.redactor.redact(&text) == text {
            self.insert(field, number);
        } else {
            self.text(field, &text);
        }
    }
}

impl Visit for Fields<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.number(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        self.text(field, &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }
}
