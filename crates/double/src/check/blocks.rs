//! The shape of messages and of the blocks in them.

use serde_json::{Map, Value};

use super::{Version, object, only, string};
use crate::refusal::Refusal;

/// Blocks of server tools and betas: they are passed through, so only their names are looked at.
const OPAQUE: [&str; 11] = [
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "tool_search_tool_result",
    "container_upload",
    "compaction",
    crate::message::STRANGE_BLOCK,
    "fallback",
    "mcp_tool_use",
    "mcp_tool_result",
    "mcp_tool_listing",
];

const IN_RESULTS: [&str; 5] = ["text", "image", "search_result", "document", "tool_reference"];

pub(super) fn check(body: &Map<String, Value>, version: Version) -> Result<(), Refusal> {
    if let Some(system) = body.get("system") {
        texts(system, "system")?;
    }
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    for (index, message) in messages.enumerate() {
        let path = format!("messages.{index}");
        let message = object(message, &path)?;
        only(message, &format!("{path}."), &["role", "content"])?;
        let role = string(message, &format!("{path}."), "role")?;
        if !matches!(role, "user" | "assistant" | "system") {
            return Err(Refusal::invalid(format!(
                "{path}.role: Input should be 'user', 'assistant' or 'system'"
            )));
        }
        let content = message
            .get("content")
            .ok_or_else(|| Refusal::invalid(format!("{path}.content: Field required")))?;
        match content {
            Value::String(text) if text.is_empty() => {
                return Err(Refusal::invalid(format!("{path}: messages must have non-empty content")));
            }
            Value::String(_) => {}
            Value::Array(blocks) if blocks.is_empty() => {
                return Err(Refusal::invalid(format!("{path}: messages must have non-empty content")));
            }
            Value::Array(blocks) => {
                for (place, block) in blocks.iter().enumerate() {
                    check_block(block, role, &format!("{path}.content.{place}"), version)?;
                }
            }
            _ => {
                let message = format!("{path}.content: Input should be a valid string or list");
                return Err(Refusal::invalid(message));
            }
        }
    }
    Ok(())
}

fn check_block(block: &Value, role: &str, path: &str, version: Version) -> Result<(), Refusal> {
    let block = object(block, path)?;
    let dotted = format!("{path}.");
    let kind = string(block, &dotted, "type")?;
    let wrong_role =
        || Err(Refusal::invalid(format!("{path}: `{kind}` blocks are not permitted in `{role}` messages")));
    match kind {
        "text" => {
            text_block(block, path)?;
            let cites = block.get("citations").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
            if cites && role == "user" && version == Version::October2026 {
                return Err(Refusal::invalid(format!("{path}.citations: Extra inputs are not permitted")));
            }
            Ok(())
        }
        _ if role == "system" => wrong_role(),
        "image" | "document" if role == "assistant" && version == Version::October2026 => wrong_role(),
        "image" => {
            only(block, &dotted, &["type", "source", "transformations", "cache_control"])?;
            source(block, path)
        }
        "document" => {
            only(block, &dotted, &["type", "source", "title", "context", "citations", "cache_control"])?;
            source(block, path)
        }
        "search_result" => search_result(block, path),
        "tool_use" if role == "assistant" => tool_use(block, &dotted),
        "tool_result" if role == "user" => tool_result(block, path, version),
        "thinking" if role == "assistant" => {
            only(block, &dotted, &["type", "thinking", "signature"])?;
            string(block, &dotted, "thinking")?;
            string(block, &dotted, "signature").map(|_| ())
        }
        "redacted_thinking" if role == "assistant" => {
            only(block, &dotted, &["type", "data"])?;
            string(block, &dotted, "data").map(|_| ())
        }
        "tool_use" | "tool_result" | "thinking" | "redacted_thinking" => wrong_role(),
        opaque if OPAQUE.contains(&opaque) || opaque.ends_with("code_execution_tool_result") => Ok(()),
        unknown => Err(Refusal::invalid(format!(
            "{path}: Input tag '{unknown}' found using 'type' does not match any of the expected tags"
        ))),
    }
}

/// A string, or a list of text blocks.
fn texts(value: &Value, path: &str) -> Result<(), Refusal> {
    match value {
        Value::String(_) => Ok(()),
        Value::Array(blocks) => {
            for (place, block) in blocks.iter().enumerate() {
                let path = format!("{path}.{place}");
                let block = object(block, &path)?;
                if string(block, &format!("{path}."), "type")? != "text" {
                    return Err(Refusal::invalid(format!("{path}.type: Input should be 'text'")));
                }
                text_block(block, &path)?;
            }
            Ok(())
        }
        _ => Err(Refusal::invalid(format!("{path}: Input should be a valid string or list"))),
    }
}

fn text_block(block: &Map<String, Value>, path: &str) -> Result<(), Refusal> {
    let dotted = format!("{path}.");
    only(block, &dotted, &["type", "text", "cache_control", "citations"])?;
    if string(block, &dotted, "text")?.is_empty() {
        return Err(Refusal::invalid(format!("{path}: text content blocks must be non-empty")));
    }
    Ok(())
}

fn source(block: &Map<String, Value>, path: &str) -> Result<(), Refusal> {
    let path = format!("{path}.source");
    let source = block.get("source").ok_or_else(|| Refusal::invalid(format!("{path}: Field required")))?;
    let source = object(source, &path)?;
    let dotted = format!("{path}.");
    let fields: &[&str] = match string(source, &dotted, "type")? {
        "base64" | "text" => &["media_type", "data"],
        "url" => &["url"],
        "file" => &["file_id"],
        "content" => &[],
        other => {
            let message = format!("{path}: Input tag '{other}' does not match any of the expected tags");
            return Err(Refusal::invalid(message));
        }
    };
    fields.iter().try_for_each(|field| string(source, &dotted, field).map(|_| ()))
}

fn search_result(block: &Map<String, Value>, path: &str) -> Result<(), Refusal> {
    let dotted = format!("{path}.");
    only(block, &dotted, &["type", "source", "title", "content", "citations", "cache_control"])?;
    string(block, &dotted, "source")?;
    string(block, &dotted, "title")?;
    match block.get("content") {
        Some(content @ Value::Array(_)) => texts(content, &format!("{path}.content")),
        _ => Err(Refusal::invalid(format!("{path}.content: Input should be a valid list"))),
    }
}

fn tool_use(block: &Map<String, Value>, path: &str) -> Result<(), Refusal> {
    only(block, path, &["type", "id", "name", "input", "caller", "cache_control"])?;
    let id = string(block, path, "id")?;
    if id.is_empty() || !id.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter)) {
        return Err(Refusal::invalid(format!("{path}id: String should match pattern '^[a-zA-Z0-9_-]+$'")));
    }
    string(block, path, "name")?;
    match block.get("input") {
        Some(Value::Object(_)) => Ok(()),
        Some(_) => Err(Refusal::invalid(format!("{path}input: Input should be a valid dictionary"))),
        None => Err(Refusal::invalid(format!("{path}input: Field required"))),
    }
}

fn tool_result(block: &Map<String, Value>, path: &str, version: Version) -> Result<(), Refusal> {
    let dotted = format!("{path}.");
    only(block, &dotted, &["type", "tool_use_id", "content", "is_error", "cache_control"])?;
    string(block, &dotted, "tool_use_id")?;
    if block.get("is_error").is_some_and(|flag| !flag.is_boolean() && !flag.is_null()) {
        return Err(Refusal::invalid(format!("{path}.is_error: Input should be a valid boolean")));
    }
    match block.get("content") {
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => {
            for (place, inner) in blocks.iter().enumerate() {
                let path = format!("{path}.content.{place}");
                let kind = inner["type"].as_str().unwrap_or_default();
                if !IN_RESULTS.contains(&kind) {
                    let message = format!("{path}: `{kind}` blocks are not permitted in tool results");
                    return Err(Refusal::invalid(message));
                }
                if kind != "tool_reference" {
                    check_block(inner, "user", &path, version)?;
                }
            }
            Ok(())
        }
        Some(_) => Err(Refusal::invalid(format!("{path}.content: Input should be a valid string or list"))),
    }
}
