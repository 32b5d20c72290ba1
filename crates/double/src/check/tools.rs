//! Tool definitions and the choice among them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{object, only, schema, string};
use crate::refusal::Refusal;

const CUSTOM: [&str; 10] = [
    "type",
    "name",
    "description",
    "input_schema",
    "strict",
    "input_examples",
    "defer_loading",
    "eager_input_streaming",
    "allowed_callers",
    "cache_control",
];

/// Starts of the types of the vendor's own tools, which bring their schema along.
const VENDOR: [&str; 10] = [
    "bash_",
    "text_editor_",
    "memory_",
    "computer_",
    "browser_",
    "web_search_",
    "web_fetch_",
    "code_execution_",
    "tool_search_tool_",
    "mcp_toolset",
];

/// Characters of a tool's name at most.
const LONGEST_NAME: usize = 128;

pub(super) fn check(body: &Map<String, Value>) -> Result<(), Refusal> {
    let mut names = HashSet::new();
    if let Some(tools) = body.get("tools") {
        let message = || Refusal::invalid("tools: Input should be a valid list");
        for (index, tool) in tools.as_array().ok_or_else(message)?.iter().enumerate() {
            let name = check_tool(tool, &format!("tools.{index}"))?;
            if !names.insert(name) {
                return Err(Refusal::invalid("tools: Tool names must be unique."));
            }
        }
    }
    choice(body, &names)
}

fn check_tool<'a>(tool: &'a Value, path: &str) -> Result<&'a str, Refusal> {
    let fields = object(tool, path)?;
    let dotted = format!("{path}.");
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or("custom");
    if kind != "custom" {
        if !VENDOR.iter().any(|start| kind.starts_with(start)) {
            let message = format!("{path}: Input tag '{kind}' does not match any of the expected tags");
            return Err(Refusal::invalid(message));
        }
        return Ok(fields.get("name").and_then(Value::as_str).unwrap_or(kind));
    }
    only(fields, &format!("{path}.custom."), &CUSTOM)?;
    let name = string(fields, &dotted, "name")?;
    let letters = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(letters) {
        let message = format!("{path}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'");
        return Err(Refusal::invalid(message));
    }
    let input = fields
        .get("input_schema")
        .ok_or_else(|| Refusal::invalid(format!("{path}.custom.input_schema: Field required")))?;
    if input["type"] != "object" {
        return Err(Refusal::invalid(format!("{path}.custom.input_schema.type: Input should be 'object'")));
    }
    if fields.get("strict") == Some(&Value::Bool(true)) {
        schema::check(input, &format!("{path}.custom.input_schema"))?;
    }
    Ok(name)
}

fn choice(body: &Map<String, Value>, names: &HashSet<&str>) -> Result<(), Refusal> {
    let Some(given) = body.get("tool_choice") else {
        return Ok(());
    };
    let fields = object(given, "tool_choice")?;
    let kind = string(fields, "tool_choice.", "type")?;
    let known: &[&str] = match kind {
        "auto" | "any" => &["type", "disable_parallel_tool_use"],
        "tool" => &["type", "name", "disable_parallel_tool_use"],
        "none" => &["type"],
        other => {
            let message = format!("tool_choice: Input tag '{other}' does not match any of the expected tags");
            return Err(Refusal::invalid(message));
        }
    };
    only(fields, "tool_choice.", known)?;
    if names.is_empty() {
        return Err(Refusal::invalid("tool_choice: may only be specified while providing tools"));
    }
    if kind == "tool" {
        let name = string(fields, "tool_choice.", "name")?;
        if !names.contains(name) {
            return Err(Refusal::invalid(format!("tool_choice: Tool '{name}' not found in provided tools")));
        }
    }
    Ok(())
}
