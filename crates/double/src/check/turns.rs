//! The conversation as a whole: roles, tool pairing, prefill, signatures.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::catalogue::Model;
use crate::refusal::Refusal;

/// Neighbouring messages of one role, which the API reads as one.
struct Turn<'a> {
    role: &'a str,
    /// Index of the first message.
    index: usize,
    blocks: Vec<&'a Value>,
}

pub(super) fn check(body: &Map<String, Value>, model: &Model) -> Result<(), Refusal> {
    let turns = turns(body, model)?;
    // What stands for earlier messages is the assistant's.
    let begins = |first: &Turn<'_>| {
        first.role == "user" || first.blocks.first().is_some_and(|block| block["type"] == "compaction")
    };
    if !turns.first().is_some_and(begins) {
        return Err(Refusal::invalid("messages: first message must use the \"user\" role"));
    }
    let mut ids = HashSet::new();
    for (place, turn) in turns.iter().enumerate() {
        let asked = if turn.role == "assistant" { ids_of(turn, "tool_use", "id") } else { Vec::new() };
        if let Some(twice) = asked.iter().find(|id| !ids.insert(**id)) {
            return Err(Refusal::invalid(format!(
                "messages.{}: `tool_use` ids must be unique; `{twice}` was used before",
                turn.index
            )));
        }
        answered(turn, &asked, turns.get(place + 1))?;
        let before = place.checked_sub(1).and_then(|place| turns.get(place));
        results(turn, before)?;
    }
    // A request for compaction continues nothing.
    if body.get("compaction").is_some_and(|given| !given.is_null()) {
        return Ok(());
    }
    prefill(turns.last(), model)
}

/// Merges neighbours of one role. System messages stand between turns and are no turn themselves.
fn turns<'a>(body: &'a Map<String, Value>, model: &Model) -> Result<Vec<Turn<'a>>, Refusal> {
    let mut turns: Vec<Turn<'a>> = Vec::new();
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    for (index, message) in messages.enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if role == "system" {
            let follows = turns.last().is_some_and(|turn| turn.role == "user" || ends_in_server_tool(turn));
            if !model.system_turns || !follows {
                let message = format!("messages.{index}: a `system` message is not allowed here");
                return Err(Refusal::invalid(message));
            }
            continue;
        }
        let blocks = match &message["content"] {
            Value::Array(blocks) => blocks.iter().collect(),
            text => vec![text],
        };
        match turns.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => turn.blocks.extend(blocks),
            None => turns.push(Turn { role, index, blocks }),
        }
    }
    Ok(turns)
}

fn ids_of<'a>(turn: &Turn<'a>, kind: &str, field: &str) -> Vec<&'a str> {
    let of_kind = turn.blocks.iter().filter(|block| block["type"] == kind);
    of_kind.filter_map(|block| block[field].as_str()).collect()
}

/// Every tool use has its result in the next turn.
fn answered(turn: &Turn<'_>, asked: &[&str], next: Option<&Turn<'_>>) -> Result<(), Refusal> {
    let results = next.map(|next| ids_of(next, "tool_result", "tool_use_id")).unwrap_or_default();
    let missing: Vec<_> = asked.iter().copied().filter(|id| !results.contains(id)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each \
         `tool_use` block must have a corresponding `tool_result` block in the next message.",
        turn.index,
        missing.join(", ")
    )))
}

/// Every result belongs to a tool use of the turn before, once, and stands before other content.
fn results(turn: &Turn<'_>, before: Option<&Turn<'_>>) -> Result<(), Refusal> {
    let asked = before.map(|before| ids_of(before, "tool_use", "id")).unwrap_or_default();
    let mut seen = HashSet::new();
    let mut other_content = false;
    for (place, block) in turn.blocks.iter().enumerate() {
        if block["type"] != "tool_result" {
            other_content = true;
            continue;
        }
        let id = block["tool_use_id"].as_str().unwrap_or_default();
        let path = format!("messages.{}.content.{place}", turn.index);
        if !asked.contains(&id) {
            return Err(Refusal::invalid(format!(
                "{path}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block \
                 must have a corresponding `tool_use` block in the previous message."
            )));
        }
        if !seen.insert(id) {
            let message = format!("{path}: each `tool_use` must have a single result; `{id}` has several");
            return Err(Refusal::invalid(message));
        }
        if other_content {
            let message = format!("{path}: `tool_result` blocks must come first in the content of a message");
            return Err(Refusal::invalid(message));
        }
    }
    Ok(())
}

fn prefill(last: Option<&Turn<'_>>, model: &Model) -> Result<(), Refusal> {
    let Some(last) = last.filter(|last| last.role == "assistant") else {
        return Ok(());
    };
    // A paused turn is sent back as it is.
    if model.prefill || ends_in_server_tool(last) {
        return Ok(());
    }
    Err(Refusal::invalid(
        "This model does not support assistant message prefill. The conversation must end with a user message.",
    ))
}

fn ends_in_server_tool(turn: &Turn<'_>) -> bool {
    let kind = turn.blocks.last().and_then(|block| block["type"].as_str()).unwrap_or_default();
    turn.role == "assistant"
        && (kind == "server_tool_use" || (kind.ends_with("_tool_result") && kind != "tool_result"))
}
