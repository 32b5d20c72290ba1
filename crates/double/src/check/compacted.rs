//! Compaction on demand: requests for it, and its blocks when they come back.

use serde_json::{Map, Value};

use super::{object, only};
use crate::refusal::Refusal;
use crate::sign::{self, Mismatch};

/// The field itself. Whether its beta was asked for is checked with the other fields.
pub(super) fn field(body: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(given) = body.get("compaction").filter(|given| !given.is_null()) else {
        return Ok(());
    };
    let fields = object(given, "compaction")?;
    only(fields, "compaction.", &["type", "instructions"])?;
    if given["type"] != "summarize" {
        return Err(Refusal::invalid("compaction.type: Input should be 'summarize'"));
    }
    if fields.get("instructions").is_some_and(|text| !text.is_string() && !text.is_null()) {
        return Err(Refusal::invalid("compaction.instructions: Input should be a valid string"));
    }
    if body.contains_key("context_management") {
        return Err(Refusal::invalid("compaction: cannot be combined with `context_management`"));
    }
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    let mut turns = messages.filter(|message| message["role"] != "system").peekable();
    if turns.peek().is_none() {
        let message = "messages: there is no `user` or `assistant` content to summarize";
        return Err(coded("compaction_nothing_to_summarize", message));
    }
    let asks = |block: &Value| matches!(block["type"].as_str(), Some("tool_use" | "server_tool_use"));
    let open = turns.last().is_some_and(|last| {
        last["role"] == "assistant"
            && last["content"].as_array().is_some_and(|blocks| blocks.iter().any(asks))
    });
    if open {
        let message = "messages: a compaction request cannot end on an `assistant` turn that is not finished";
        return Err(coded("compaction_incomplete_turn", message));
    }
    Ok(())
}

/// Blocks that come back: at most one, first in the conversation, as it was signed.
pub(super) fn blocks(body: &Map<String, Value>) -> Result<(), Refusal> {
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    let mut found = 0;
    for (index, message) in messages.enumerate() {
        for (place, block) in message["content"].as_array().into_iter().flatten().enumerate() {
            // A block without content stands for a compaction that failed; the server passes over it.
            if block["type"] != "compaction" || block["content"].is_null() {
                continue;
            }
            let path = format!("messages.{index}.content.{place}");
            found += 1;
            if found > 1 {
                let message =
                    format!("{path}: `messages` holds more than one `compaction` block with content");
                return Err(coded("compaction_block_ambiguous", message));
            }
            if (index, place) != (0, 0) || message["role"] == "system" {
                let message = format!("{path}: a `compaction` block must be the first of the conversation");
                return Err(coded("compaction_block_misplaced", message));
            }
            signed(block, &path)?;
        }
    }
    Ok(())
}

fn signed(block: &Value, path: &str) -> Result<(), Refusal> {
    let known = ["type", "content", "encrypted_content", "signature", "tool_changes", "cache_control"];
    only(object(block, path)?, &format!("{path}."), &known)?;
    let text = |field: &str| block[field].as_str().unwrap_or_default();
    // The double's compactions change no tools.
    if block["tool_changes"].as_array().is_some_and(|changes| !changes.is_empty()) {
        let message = format!("{path}: `tool_changes` differs from what was returned with the block");
        return Err(coded("compaction_tool_changes_mismatch", message));
    }
    match sign::compaction_holds(text("content"), text("encrypted_content"), text("signature")) {
        Ok(()) => Ok(()),
        Err(Mismatch::Signature) => {
            let message = format!("{path}: Invalid `signature` in `compaction` block");
            Err(coded("compaction_signature_invalid", message))
        }
        Err(Mismatch::Content) => {
            let message = format!("{path}: `content` differs from the text that the `signature` recorded");
            Err(coded("compaction_content_mismatch", message))
        }
    }
}

fn coded(code: &str, message: impl Into<String>) -> Refusal {
    Refusal { code: Some(code.to_owned()), ..Refusal::invalid(message) }
}
