//! Thinking blocks, bound to what they were an answer to.

use serde_json::{Map, Value, json};

use crate::digest::Rendered;
use crate::refusal::Refusal;
use crate::sign;

/// Where a block stands: index of its message, and its own.
pub(super) type Place = (usize, usize);

/// Whether the request asks for blocks of another conversation to be dropped.
pub(super) fn drops(body: &Map<String, Value>) -> bool {
    body.get("thinking")
        .is_some_and(|thinking| thinking["block_binding"]["prefix_mismatch_behavior"] == "drop_block")
}

/// Thinking blocks that do not stand after the very prefix they were an answer to, with the consecutive ones after
/// each.
pub(super) fn strangers(body: &Map<String, Value>, rendered: &Rendered) -> Vec<Place> {
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    let mut strangers = Vec::new();
    for ((index, message), before) in messages.enumerate().zip(&rendered.before) {
        let mut torn = false;
        for (place, block) in message["content"].as_array().into_iter().flatten().enumerate() {
            match block["type"].as_str() {
                Some("thinking") => {
                    let text = block["thinking"].as_str().unwrap_or_default();
                    let signed = block["signature"].as_str().unwrap_or_default();
                    torn |= !sign::thinking_holds(before, text, signed);
                }
                Some("redacted_thinking") => {}
                _ => torn = false,
            }
            if torn {
                strangers.push((index, place));
            }
        }
    }
    strangers
}

/// The refusal of the first of them.
pub(super) fn refusal((index, place): Place) -> Refusal {
    Refusal::invalid(format!(
        "messages.{index}.content.{place}: Invalid `signature` in `thinking` block. The block is bound to a \
         different conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to \
         \"drop_block\"."
    ))
}

/// The body without these blocks, and the report of each.
pub(super) fn without(body: &Map<String, Value>, strangers: &[Place]) -> (Map<String, Value>, Vec<Value>) {
    let mut kept = body.clone();
    for (index, place) in strangers.iter().rev() {
        if let Some(content) = kept["messages"][*index]["content"].as_array_mut() {
            content.remove(*place);
        }
    }
    let reports = strangers.iter().map(|(index, place)| {
        json!({
            "type": "thinking_dropped", "path": format!("messages.{index}.content.{place}"),
            "reason": "prefix_binding_mismatch",
        })
    });
    (kept, reports.collect())
}
