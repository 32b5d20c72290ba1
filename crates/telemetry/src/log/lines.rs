//! From an event to a line.

use std::{fmt::Write, sync::Arc};

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    fmt::{
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::{Context, Layer},
    registry::{LookupSpan, Scope},
};

use super::{LogFormat, fields::Fields, redactor::Redactor, sink::Sink};

/// The layer that writes lines: the fields of the open spans from the outermost on, then the event's own.
pub(crate) struct Lines {
    process: &'static str,
    format: LogFormat,
    redactor: Arc<Redactor>,
    sink: Sink,
}

/// The fields of a span, kept in its extensions.
struct Kept(Map<String, Value>);

impl Lines {
    pub(crate) const fn new(
        process: &'static str,
        format: LogFormat,
        redactor: Arc<Redactor>,
        sink: Sink,
    ) -> Self {
        Self { process, format, redactor, sink }
    }

    fn fields<'a>(&'a self, map: &'a mut Map<String, Value>) -> Fields<'a> {
        Fields { redactor: &self.redactor, map }
    }
}

impl<S> Layer<S> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut map = Map::new();
        attributes.record(&mut self.fields(&mut map));
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Kept(map));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(Kept(map)) = span.extensions_mut().get_mut() {
            values.record(&mut self.fields(map));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Map::new();
        event.record(&mut self.fields(&mut own));
        let message = own.shift_remove("message").unwrap_or_default();
        let mut fields = Map::new();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(Kept(map)) = span.extensions().get() {
                fields.extend(map.clone());
            }
        }
        // A span may have a field of that name; the sentence is the event's.
        fields.shift_remove("message");
        fields.extend(own);
        let line = Line {
            timestamp: timestamp(),
            level: event.metadata().level().as_str(),
            target: event.metadata().target(),
            process: self.process,
            message: message.as_str().unwrap_or_default().to_owned(),
            fields,
        };
        self.sink.line(match self.format {
            LogFormat::Json => line.json(),
            LogFormat::Text => line.text(),
        });
    }
}

struct Line {
    timestamp: String,
    level: &'static str,
    target: &'static str,
    process: &'static str,
    message: String,
    fields: Map<String, Value>,
}

impl Line {
    fn json(self) -> String {
        let mut object = Map::new();
        object.insert("timestamp".to_owned(), self.timestamp.into());
        object.insert("level".to_owned(), self.level.into());
        object.insert("target".to_owned(), self.target.into());
        object.insert("message".to_owned(), self.message.into());
        object.insert("process".to_owned(), self.process.into());
        object.extend(self.fields);
        // JSON escapes what lies below the space; the control characters above it drive terminals, too.
        visible(&Value::Object(object).to_string(), |c, out| write!(out, "\\u{:04x}", u32::from(c)))
    }

    fn text(self) -> String {
        let mut line = format!(
            "{} {:>5} {} {}: {}",
            self.timestamp, self.level, self.process, self.target, self.message
        );
        for (name, value) in self.fields {
            let plain = |text: &str| !text.is_empty() && !text.contains([' ', '"', '=']);
            match value.as_str() {
                Some(text) if plain(text) => line = format!("{line} {name}={text}"),
                _ => line = format!("{line} {name}={value}"),
            }
        }
        visible(&line, |c, out| write!(out, "{}", c.escape_default()))
    }
}

/// Text in which no control character is left: one line, and nothing that moves a terminal's cursor.
fn visible(text: &str, escape: impl Fn(char, &mut String) -> std::fmt::Result) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() {
            escape(c, &mut out).expect("writing to a string does not fail");
        } else {
            out.push(c);
        }
        out
    })
}

/// RFC 3339 in UTC with microseconds. Empty only if the clock cannot be read.
fn timestamp() -> String {
    let mut text = String::new();
    match SystemTime.format_time(&mut Writer::new(&mut text)) {
        Ok(()) => text,
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests;
