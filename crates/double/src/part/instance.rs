//! The smallest value that a JSON schema allows.

use serde_json::{Map, Value, json};

/// Levels that are followed; schemas of the API may not be recursive.
const DEEPEST: usize = 32;

/// A value of the schema: required fields only, empty lists, the first choice, `[double]` for a text.
pub(super) fn of(schema: &Value) -> Value {
    at_depth(schema, schema, 0)
}

fn at_depth(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(target) = schema["$ref"].as_str() {
        let found = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return found.map_or(Value::Null, |found| at_depth(found, root, depth + 1));
    }
    if let Some(fixed) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return fixed.clone();
    }
    if let Some(choice) = schema["anyOf"].get(0).or_else(|| schema["oneOf"].get(0)) {
        return at_depth(choice, root, depth + 1);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut fields = Map::new();
        for part in parts {
            match at_depth(part, root, depth + 1) {
                Value::Object(more) => fields.extend(more),
                other => return other,
            }
        }
        return Value::Object(fields);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"].get(0).and_then(Value::as_str));
    match kind {
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let field = |name: &str| at_depth(&schema["properties"][name], root, depth + 1);
            Value::Object(required.map(|name| (name.to_owned(), field(name))).collect())
        }
        Some("array") => json!([]),
        Some("integer" | "number") => json!(0),
        Some("boolean") => json!(false),
        Some("null") => Value::Null,
        _ => match schema["format"].as_str() {
            Some("date-time") => json!("1970-01-01T00:00:00Z"),
            Some("date") => json!("1970-01-01"),
            Some("uuid") => json!("00000000-0000-0000-0000-000000000000"),
            _ => json!("[double]"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_holds_what_is_required_and_nothing_else() {
        let schema = json!({
            "type": "object",
            "required": ["kind", "facts", "text", "owner"],
            "properties": {
                "kind": { "enum": ["fact", "rule"] }, "facts": { "type": "array" }, "text": { "type": "string" },
                "owner": { "$ref": "#/$defs/owner" }, "note": { "type": "string" },
            },
            "$defs": { "owner": { "anyOf": [{ "type": "integer" }, { "type": "null" }] } },
        });
        assert_eq!(of(&schema), json!({ "kind": "fact", "facts": [], "text": "[double]", "owner": 0 }));
    }
}
