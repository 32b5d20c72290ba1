//! Cache markers: their shape and their number.

use serde_json::{Map, Value};

use super::only;
use crate::refusal::Refusal;

/// Markers of one request at most.
const MOST_MARKERS: usize = 4;

pub(super) fn check(body: &Map<String, Value>) -> Result<(), Refusal> {
    let mut found = 0;
    if let Some(marker) = body.get("cache_control") {
        count(marker, "cache_control", &mut found)?;
    }
    for field in ["tools", "system", "messages"] {
        if let Some(value) = body.get(field) {
            walk(value, field, &mut found)?;
        }
    }
    if found > MOST_MARKERS {
        let message =
            format!("A maximum of {MOST_MARKERS} blocks with cache_control may be provided. Found {found}.");
        return Err(Refusal::invalid(message));
    }
    Ok(())
}

/// Looks through lists, blocks and the content of messages and results; tool inputs and schemas are foreign.
fn walk(value: &Value, path: &str, found: &mut usize) -> Result<(), Refusal> {
    match value {
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                walk_block(item, &format!("{path}.{place}"), found)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn walk_block(block: &Value, path: &str, found: &mut usize) -> Result<(), Refusal> {
    let Some(block) = block.as_object() else {
        return Ok(());
    };
    if let Some(marker) = block.get("cache_control") {
        let path = format!("{path}.cache_control");
        if matches!(block.get("type").and_then(Value::as_str), Some("thinking" | "redacted_thinking")) {
            return Err(Refusal::invalid(format!("{path}: Extra inputs are not permitted")));
        }
        count(marker, &path, found)?;
    }
    match block.get("content") {
        Some(content) => walk(content, &format!("{path}.content"), found),
        None => Ok(()),
    }
}

fn count(marker: &Value, path: &str, found: &mut usize) -> Result<(), Refusal> {
    if marker.is_null() {
        return Ok(());
    }
    let fields = super::object(marker, path)?;
    only(fields, &format!("{path}."), &["type", "ttl"])?;
    if marker["type"] != "ephemeral" {
        return Err(Refusal::invalid(format!("{path}.type: Input should be 'ephemeral'")));
    }
    if !matches!(marker.get("ttl").map(Value::as_str), None | Some(Some("5m" | "1h"))) {
        return Err(Refusal::invalid(format!("{path}.ttl: Input should be '5m' or '1h'")));
    }
    *found += 1;
    Ok(())
}
