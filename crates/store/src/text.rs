//! Postgres keeps no NUL in `text` and `jsonb`. What a model or a tool said may hold one, and that one character must
//! not keep a task from going on or ending: where it is shown a mark takes its place. The journal itself is `json` and
//! keeps it.

use std::borrow::Cow;

use serde_json::Value;

const MARK: &str = "\u{fffd}";

pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', MARK)) } else { Cow::Borrowed(text) }
}

pub(crate) fn storable_json(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => Value::String(text.replace('\0', MARK)),
        Value::Array(items) => items.into_iter().map(storable_json).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (storable(&key).into_owned(), storable_json(value)))
            .collect(),
        other => other,
    }
}
