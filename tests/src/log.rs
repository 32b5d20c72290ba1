//! What processes logged.

use serde_json::Value;

/// A line of a log; `Err` holds one that is not a JSON object.
pub type LogLine = Result<serde_json::Map<String, Value>, String>;

/// The lines of a text.
pub(crate) fn lines(text: &str) -> Vec<LogLine> {
    let line = |line: &str| match serde_json::from_str(line) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(line.to_owned()),
    };
    text.lines().map(line).collect()
}

/// The end of a log, for the output of a failed test.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
