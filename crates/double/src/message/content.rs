//! The blocks of an answer, within the bounds of its request.

use serde_json::{Map, Value, json};

use crate::ledger::Usage;
use crate::tokens::bytes_within;

/// Bytes that a block counts as in the answer.
pub(crate) fn block_bytes(block: &Value) -> u64 {
    let length = |field: &str| block[field].as_str().map_or(0, |text| text.len() as u64);
    match block["type"].as_str() {
        Some("text") => length("text"),
        Some("thinking") => length("thinking"),
        Some("compaction") => length("content"),
        _ => length("name") + block["input"].to_string().len() as u64,
    }
}

/// Ends the text before the first stop sequence in it, and drops what comes after.
pub(super) fn stop_at_sequence(content: &mut Vec<Value>, sequences: Option<&Value>) -> Option<String> {
    let sequences: Vec<_> = sequences?.as_array()?.iter().filter_map(Value::as_str).collect();
    let place = content.iter().position(|block| block["type"] == "text")?;
    let text = content[place]["text"].as_str()?;
    let (end, sequence) = sequences
        .iter()
        .filter_map(|sequence| text.find(sequence).map(|start| (start, (*sequence).to_owned())))
        .min_by_key(|(start, _)| *start)?;
    let kept = text[..end].to_owned();
    content.truncate(place + 1);
    content[place]["text"] = kept.into();
    Some(sequence)
}

/// Cuts the content down to `max_tokens`; whether something had to go. Tool use is kept whole or not at all.
pub(super) fn keep_within(content: &mut Vec<Value>, max_tokens: u64) -> bool {
    let budget = bytes_within(max_tokens);
    let mut used = 0;
    for place in 0..content.len() {
        let bytes = block_bytes(&content[place]);
        if used + bytes <= budget {
            used += bytes;
            continue;
        }
        let left = usize::try_from(budget - used).unwrap_or(usize::MAX);
        let kept =
            content[place]["text"].as_str().map(|text| text[..text.floor_char_boundary(left)].to_owned());
        content.truncate(place);
        if let Some(text) = kept.filter(|text| !text.is_empty()) {
            content.push(json!({ "type": "text", "text": text, "citations": null }));
        }
        return true;
    }
    max_tokens == 0
}

pub(super) fn override_usage(usage: &mut Usage, given: &Map<String, Value>) {
    let set = |field: &mut u64, name: &str| {
        if let Some(tokens) = given.get(name).and_then(Value::as_u64) {
            *field = tokens;
        }
    };
    set(&mut usage.input_tokens, "input_tokens");
    set(&mut usage.output_tokens, "output_tokens");
    set(&mut usage.cache_read_input_tokens, "cache_read_input_tokens");
    set(&mut usage.cache_creation_input_tokens, "cache_creation_input_tokens");
}
