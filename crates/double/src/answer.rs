//! An answer before it takes a wire form: blocks, end, tokens.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::digest::{Rendered, signature};
use crate::fault::Fault;
use crate::ledger::Usage;
use crate::tokens::{bytes_within, tokens};

/// What is to be answered, as a rule or the default part decided it.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rule: String,
    pub(crate) thinking: Option<String>,
    pub(crate) say: Option<String>,
    pub(crate) tools: Vec<(String, Value)>,
    /// Overrides what follows from the content.
    pub(crate) stop_reason: Option<String>,
    /// Overrides single fields of the usage.
    pub(crate) usage: Map<String, Value>,
    pub(crate) pace: Pace,
    pub(crate) fault: Option<Fault>,
    /// Streamed tool input ends before its JSON does.
    pub(crate) broken_json: bool,
}

/// How slowly an answer comes, and in which pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    pub(crate) delay_ms: u64,
    pub(crate) between_events_ms: u64,
    /// Bytes of each piece of a stream; pieces end anywhere, also inside a line.
    pub(crate) chunk_bytes: Option<usize>,
}

/// An answer whose blocks, end and usage are settled.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) content: Vec<Value>,
    pub(crate) stop_reason: String,
    pub(crate) stop_sequence: Option<String>,
    pub(crate) usage: Usage,
    pub(crate) thinking_tokens: u64,
    /// The request was made with `context_management`, and none was needed.
    pub(crate) context_management: bool,
}

impl Message {
    /// Settles an answer against the bounds of its request.
    pub(crate) fn settle(
        answer: &Answer,
        body: &Map<String, Value>,
        rendered: &Rendered,
        prompt: Usage,
    ) -> Self {
        let before = rendered.before.last().copied().unwrap_or_default();
        let mut content = Vec::new();
        if let Some(thinking) = answer.thinking.as_deref().filter(|_| thinks(body)) {
            let omitted = body.get("thinking").is_some_and(|given| given["display"] == "omitted");
            let shown = if omitted { "" } else { thinking };
            let signature = signature(before, thinking);
            content.push(json!({ "type": "thinking", "thinking": shown, "signature": signature }));
        }
        if let Some(say) = answer.say.as_deref().filter(|say| !say.is_empty()) {
            content.push(json!({ "type": "text", "text": say, "citations": null }));
        }
        for (name, input) in &answer.tools {
            let id = format!("toolu_{}", Uuid::new_v4().simple());
            content.push(json!({
                "type": "tool_use", "id": id, "name": name, "input": input, "caller": { "type": "direct" },
            }));
        }
        let stop_sequence = stop_at_sequence(&mut content, body.get("stop_sequences"));
        let cut_short =
            keep_within(&mut content, body.get("max_tokens").and_then(Value::as_u64).unwrap_or_default());
        let stop_reason = if let Some(forced) = &answer.stop_reason {
            forced.clone()
        } else if cut_short {
            "max_tokens".to_owned()
        } else if stop_sequence.is_some() {
            "stop_sequence".to_owned()
        } else if content.iter().any(|block| block["type"] == "tool_use") {
            "tool_use".to_owned()
        } else {
            "end_turn".to_owned()
        };
        if stop_reason == "pause_turn" {
            // A paused turn ends in the server's own tool use; that is what lets it be sent back as it is.
            let id = format!("srvtoolu_{}", Uuid::new_v4().simple());
            content.push(json!({
                "type": "server_tool_use", "id": id, "name": "web_search", "input": { "query": "double" },
                "caller": { "type": "direct" },
            }));
        }
        let thinking = answer.thinking.as_deref().filter(|_| thinks(body)).unwrap_or_default();
        let mut usage = Usage { output_tokens: tokens(content.iter().map(block_bytes).sum()), ..prompt };
        override_usage(&mut usage, &answer.usage);
        Self {
            id: format!("msg_{}", Uuid::new_v4().simple()),
            model: body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
            content,
            stop_reason,
            stop_sequence,
            usage,
            thinking_tokens: tokens(thinking.len() as u64),
            context_management: body.contains_key("context_management"),
        }
    }

    /// The whole message as the JSON form has it.
    pub(crate) fn view(&self) -> Value {
        let mut view = json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model,
            "content": self.content,
            "stop_reason": self.stop_reason, "stop_sequence": self.stop_sequence,
            "stop_details": self.stop_details(), "container": null, "diagnostics": null,
            "usage": self.usage_view(self.usage.output_tokens, Some(self.thinking_tokens)),
        });
        if self.context_management {
            view["context_management"] = json!({ "applied_edits": [] });
        }
        view
    }

    pub(crate) fn stop_details(&self) -> Value {
        if self.stop_reason == "refusal" {
            json!({ "type": "refusal", "category": null, "explanation": "The double was told to refuse." })
        } else {
            Value::Null
        }
    }

    pub(crate) fn usage_view(&self, output_tokens: u64, thinking_tokens: Option<u64>) -> Value {
        let hour = self.usage.cache_creation_1h_input_tokens;
        json!({
            "input_tokens": self.usage.input_tokens,
            "cache_creation_input_tokens": self.usage.cache_creation_input_tokens,
            "cache_read_input_tokens": self.usage.cache_read_input_tokens,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.usage.cache_creation_input_tokens.saturating_sub(hour),
                "ephemeral_1h_input_tokens": hour,
            },
            "output_tokens": output_tokens,
            "output_tokens_details": thinking_tokens.map(|tokens| json!({ "thinking_tokens": tokens })),
            "server_tool_use": null, "service_tier": "standard", "inference_geo": "global",
            "speed": "standard",
        })
    }
}

fn thinks(body: &Map<String, Value>) -> bool {
    body.get("thinking").is_none_or(|thinking| thinking["type"] != "disabled")
}

/// Bytes that a block counts as in the answer.
pub(crate) fn block_bytes(block: &Value) -> u64 {
    let length = |field: &str| block[field].as_str().map_or(0, |text| text.len() as u64);
    match block["type"].as_str() {
        Some("text") => length("text"),
        Some("thinking") => length("thinking"),
        _ => length("name") + block["input"].to_string().len() as u64,
    }
}

/// Ends the text before the first stop sequence in it, and drops what comes after.
fn stop_at_sequence(content: &mut Vec<Value>, sequences: Option<&Value>) -> Option<String> {
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
fn keep_within(content: &mut Vec<Value>, max_tokens: u64) -> bool {
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

fn override_usage(usage: &mut Usage, given: &Map<String, Value>) {
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
