//! A message as server-sent events, in the order and shape of the real API.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::{InputEnd, Strange};
use crate::message::{Message, STRANGE_BLOCK, block_bytes};

/// Deltas that one block is sent in at most.
const MOST_DELTAS: usize = 8;
/// Bytes of a delta at least, unless the block is shorter.
const DELTA_BYTES: usize = 24;

/// One event and what it means for the charge.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) bytes: Bytes,
    /// Bytes of content that count as output; `Some(0)` for the start of a block.
    pub(crate) content: Option<u64>,
    /// The answer ends with this event.
    pub(crate) last: bool,
}

impl Event {
    fn new(data: &Value) -> Self {
        let name = data["type"].as_str().unwrap_or_default();
        Self::raw(format!("event: {name}\ndata: {data}\n\n"))
    }

    /// Bytes that mean nothing for the charge.
    pub(crate) fn raw(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), content: None, last: false }
    }

    fn with_content(data: &Value, bytes: u64) -> Self {
        Self { content: Some(bytes), ..Self::new(data) }
    }
}

/// The `error` event that takes the place of the rest of a stream.
pub(crate) fn error_event(kind: &str, message: &str, request_id: &str) -> Event {
    Event::new(&json!({
        "type": "error", "error": { "type": kind, "message": message }, "request_id": request_id,
    }))
}

/// The event that says nothing.
pub(crate) fn ping() -> Event {
    Event::new(&json!({ "type": "ping" }))
}

fn unknown_event() -> Event {
    Event::new(&json!({ "type": "double_weather", "sky": "clear", "index": 0 }))
}

/// The events of a message.
pub(crate) fn events(message: &Message) -> Vec<Event> {
    let mut start = message.view();
    start["content"] = json!([]);
    start["stop_reason"] = Value::Null;
    start["stop_sequence"] = Value::Null;
    start["stop_details"] = Value::Null;
    start["usage"] = message.usage_view(1, None);
    let mut events = vec![Event::new(&json!({ "type": "message_start", "message": start }))];
    for (index, block) in message.content.iter().enumerate() {
        push_block(&mut events, index, block, message);
    }
    if message.strange.contains(&Strange::Event) {
        events.insert(1, unknown_event());
        events.push(unknown_event());
    }
    let mut delta = json!({
        "type": "message_delta",
        "delta": {
            "stop_reason": message.stop_reason, "stop_sequence": message.stop_sequence,
            "stop_details": message.stop_details(), "container": null,
        },
        "usage": {
            "input_tokens": message.usage.input_tokens,
            "cache_creation_input_tokens": message.usage.cache_creation_input_tokens,
            "cache_read_input_tokens": message.usage.cache_read_input_tokens,
            "output_tokens": message.usage.output_tokens,
            "output_tokens_details": { "thinking_tokens": message.thinking_tokens },
            "server_tool_use": null,
        },
    });
    if message.context_management {
        delta["context_management"] = json!({ "applied_edits": [] });
    }
    events.push(Event::new(&delta));
    events.push(Event { last: true, ..Event::new(&json!({ "type": "message_stop" })) });
    events
}

fn push_block(events: &mut Vec<Event>, index: usize, block: &Value, message: &Message) {
    let mut opening = block.clone();
    let mut deltas: Vec<(Value, u64)> = Vec::new();
    let mut unsent = 0;
    match block["type"].as_str() {
        Some("text") => {
            opening["text"] = "".into();
            for piece in pieces(block["text"].as_str().unwrap_or_default()) {
                deltas.push((json!({ "type": "text_delta", "text": piece }), piece.len() as u64));
            }
        }
        Some("thinking") => {
            opening["thinking"] = "".into();
            opening["signature"] = "".into();
            for piece in pieces(block["thinking"].as_str().unwrap_or_default()) {
                deltas.push((json!({ "type": "thinking_delta", "thinking": piece }), piece.len() as u64));
            }
            deltas.push((json!({ "type": "signature_delta", "signature": block["signature"] }), 0));
        }
        Some("compaction") => {
            for field in ["content", "encrypted_content"] {
                opening[field] = Value::Null;
            }
            let bytes = block_bytes(block);
            let (text, sealed) = (&block["content"], &block["encrypted_content"]);
            deltas.push((
                json!({ "type": "compaction_delta", "content": text, "encrypted_content": sealed }),
                bytes,
            ));
        }
        Some(STRANGE_BLOCK) => {}
        _ => {
            opening["input"] = json!({});
            let input = block["input"].to_string();
            // The name is counted with the start of the block.
            unsent = block_bytes(block) - input.len() as u64;
            let end = match message.input_end {
                InputEnd::Whole => input.len(),
                InputEnd::LastByte => input.floor_char_boundary(input.len() - 1),
                InputEnd::Half if index + 1 < message.content.len() => input.len(),
                InputEnd::Half => input.floor_char_boundary(input.len() / 2),
            };
            // An empty string means an empty object.
            let sent = if input == "{}" && end == input.len() { "" } else { &input[..end] };
            if sent.is_empty() {
                deltas.push((json!({ "type": "input_json_delta", "partial_json": "" }), 2));
            }
            for piece in pieces(sent) {
                let delta = json!({ "type": "input_json_delta", "partial_json": piece });
                deltas.push((delta, piece.len() as u64));
            }
        }
    }
    if message.strange.contains(&Strange::Delta) {
        deltas.insert(0, (json!({ "type": "double_glow_delta", "glow": 0.5 }), 0));
    }
    let start = json!({ "type": "content_block_start", "index": index, "content_block": opening });
    events.push(Event::with_content(&start, unsent));
    for (delta, bytes) in deltas {
        let event = json!({ "type": "content_block_delta", "index": index, "delta": delta });
        events.push(Event::with_content(&event, bytes));
    }
    events.push(Event::new(&json!({ "type": "content_block_stop", "index": index })));
    if index == 0 {
        events.push(ping());
    }
}

/// A text in a few pieces, cut between characters.
fn pieces(text: &str) -> Vec<&str> {
    let size = text.len().div_ceil(MOST_DELTAS).max(DELTA_BYTES);
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.ceil_char_boundary(size));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
