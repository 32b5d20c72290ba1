//! The subset of JSON Schema that strict tools and output formats may use.

use serde_json::Value;

use crate::refusal::Refusal;

/// Keywords of bounds, which the subset does not have.
const UNSUPPORTED: [&str; 9] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
];

/// Levels that are looked through; what is deeper is taken as recursive.
const DEEPEST: usize = 64;

pub(super) fn check(schema: &Value, path: &str) -> Result<(), Refusal> {
    at_depth(schema, path, 0)
}

fn at_depth(schema: &Value, path: &str, depth: usize) -> Result<(), Refusal> {
    if depth > DEEPEST {
        return Err(Refusal::invalid(format!("{path}: the schema is nested too deeply")));
    }
    let Some(fields) = schema.as_object() else {
        return Ok(());
    };
    if let Some(keyword) = UNSUPPORTED.iter().find(|keyword| fields.contains_key(**keyword)) {
        let message = format!("{path}: the schema keyword '{keyword}' is not supported");
        return Err(Refusal::invalid(message));
    }
    let is_object = fields.get("type").is_some_and(|kind| {
        kind == "object" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "object"))
    });
    if is_object && fields.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err(Refusal::invalid(format!(
            "{path}: For 'object' type, 'additionalProperties' must be explicitly set to false"
        )));
    }
    for group in ["properties", "$defs", "definitions"] {
        for inner in fields.get(group).and_then(Value::as_object).into_iter().flat_map(|map| map.values()) {
            at_depth(inner, path, depth + 1)?;
        }
    }
    for list in ["anyOf", "allOf", "oneOf"] {
        for inner in fields.get(list).and_then(Value::as_array).into_iter().flatten() {
            at_depth(inner, path, depth + 1)?;
        }
    }
    fields.get("items").map_or(Ok(()), |items| at_depth(items, path, depth + 1))
}
