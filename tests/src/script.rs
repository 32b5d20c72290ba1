//! Scripts for the double, written as values. A script is YAML, and JSON is YAML.

use hive_double::Script;
use serde_json::{Value, json};

/// A script of these rules.
///
/// # Panics
/// When they cannot be played.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "a story writes json!(…) in place")]
pub fn rules(rules: Value) -> Script {
    script(&json!({ "rules": rules }).to_string())
}

/// A script as it is written.
///
/// # Panics
/// When it cannot be played.
#[must_use]
pub fn script(yaml: &str) -> Script {
    Script::parse(yaml).unwrap()
}

/// A rule that answers the request with `turn` replies before it by these tools, in every task whose title matches
/// `title`.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "a story writes json!(…) in place")]
pub fn answer(title: &str, turn: usize, tools: Value) -> Value {
    json!({ "name": format!("{title} {turn}"), "when": { "turn": turn, "first_text": title }, "tools": tools })
}

/// A reply of nothing but text.
#[must_use]
pub fn say(title: &str, turn: usize, text: &str) -> Value {
    json!({ "name": format!("{title} {turn}"), "when": { "turn": turn, "first_text": title }, "say": text })
}

/// A call of `shell`.
#[must_use]
pub fn shell(command: &str) -> Value {
    json!({ "name": "shell", "input": { "command": command } })
}

/// A call of `write_file`.
#[must_use]
pub fn write(path: &str, content: &str) -> Value {
    json!({ "name": "write_file", "input": { "path": path, "content": content } })
}

/// A call of `finish`.
#[must_use]
pub fn finish(summary: &str) -> Value {
    json!({ "name": "finish", "input": { "summary": summary } })
}
