//! Postgres keeps no NUL in texts: such a body is refused at the door, with a pointer.

use serde_json::Value;

use super::parse::escaped;
use crate::error::{ApiError, Result};

/// Refuses valid JSON in which some string holds a NUL.
///
/// # Errors
/// 422 with a pointer to the string, or to the object when it is one of its keys.
pub fn refuse(json: &[u8]) -> Result<()> {
    // Inside JSON a NUL can only be written as this escape, which hardly any body holds.
    if !json.windows(6).any(|window| window == br"\u0000") {
        return Ok(());
    }
    let value: Value = serde_json::from_slice(json).map_err(|error| ApiError::internal(&error))?;
    match find(&value, &mut String::new()) {
        Some(pointer) => Err(ApiError::field(pointer, "must not contain the character U+0000")),
        None => Ok(()),
    }
}

fn find(value: &Value, path: &mut String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(|| path.clone()),
        Value::Array(items) => {
            let mut children = items.iter().enumerate();
            children.find_map(|(index, item)| below(item, path, &index.to_string()))
        }
        Value::Object(fields) => fields.iter().find_map(|(key, field)| {
            if key.contains('\0') {
                return Some(path.clone());
            }
            below(field, path, &escaped(key))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn below(value: &Value, path: &mut String, segment: &str) -> Option<String> {
    let length = path.len();
    path.push('/');
    path.push_str(segment);
    let found = find(value, path);
    path.truncate(length);
    found
}
