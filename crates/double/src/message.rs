//! An answer that is settled against its request: blocks, end, tokens.

mod content;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::answer::{Answer, InputEnd, RefusalForm, Strange};
use crate::check::Checked;
use crate::ledger::Usage;
use crate::sign;
use crate::tokens::tokens;
pub(crate) use content::block_bytes;

/// Field of a block that no client knows; it may come back.
pub(crate) const STRANGE_FIELD: &str = "double_tint";
/// Type of a block that no client knows.
pub(crate) const STRANGE_BLOCK: &str = "double_sketch";

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
    pub(crate) input_end: InputEnd,
    pub(crate) strange: Vec<Strange>,
    refusal: RefusalForm,
    transformations: Option<Vec<Value>>,
    pub(crate) diagnostics: Value,
    pub(crate) service_tier: &'static str,
}

impl Message {
    /// Settles an answer against the bounds of its request.
    pub(crate) fn settle(
        answer: &Answer,
        body: &Map<String, Value>,
        checked: &Checked,
        prompt: Usage,
    ) -> Self {
        let mut stop_sequence = None;
        let (content, stop_reason) = if body.get("compaction").is_some_and(|given| !given.is_null()) {
            (vec![compaction(answer, body, checked)], "compaction".to_owned())
        } else {
            let mut content = blocks(answer, body, checked);
            stop_sequence = content::stop_at_sequence(&mut content, body.get("stop_sequences"));
            let bound = body.get("max_tokens").and_then(Value::as_u64).unwrap_or_default();
            let room = checked.window.saturating_sub(tokens(checked.rendered.bytes()));
            let cut_short = content::keep_within(&mut content, bound.min(room));
            let stop_reason = if let Some(forced) = &answer.stop_reason {
                forced.clone()
            } else if cut_short && room < bound {
                "model_context_window_exceeded".to_owned()
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
                content.push(server_tool_use());
            }
            (content, stop_reason)
        };
        let thinking = answer.thinking.as_deref().filter(|_| thinks(body)).unwrap_or_default();
        let mut usage = Usage { output_tokens: tokens(content.iter().map(block_bytes).sum()), ..prompt };
        content::override_usage(&mut usage, &answer.usage);
        Self {
            id: format!("msg_{}", Uuid::new_v4().simple()),
            model: body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
            content,
            stop_reason,
            stop_sequence,
            usage,
            thinking_tokens: tokens(thinking.len() as u64),
            context_management: body.contains_key("context_management"),
            input_end: answer.input_end,
            strange: answer.strange.clone(),
            refusal: answer.refusal.clone(),
            transformations: checked.transformations.clone(),
            diagnostics: Value::Null,
            service_tier: "standard",
        }
    }

    /// The whole message as the JSON form has it.
    pub(crate) fn view(&self) -> Value {
        let mut view = json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model,
            "content": self.content,
            "stop_reason": self.stop_reason, "stop_sequence": self.stop_sequence,
            "stop_details": self.stop_details(), "container": null, "diagnostics": self.diagnostics,
            "usage": self.usage_view(self.usage.output_tokens, Some(self.thinking_tokens)),
        });
        if self.input_end == InputEnd::Half
            && let Some(open) = view["content"].as_array_mut().and_then(|content| content.last_mut())
            && open["type"] == "tool_use"
        {
            // What was written of the input so far is no object yet.
            open["input"] = json!({});
        }
        if self.context_management {
            view["context_management"] = json!({ "applied_edits": [] });
        }
        if let Some(transformations) = &self.transformations {
            view["input_transformations"] = transformations.clone().into();
        }
        if self.strange.contains(&Strange::Field) {
            view["double_mood"] = json!({ "calm": [true, null, 0.5] });
        }
        view
    }

    pub(crate) fn stop_details(&self) -> Value {
        if self.stop_reason == "refusal" {
            let explanation = self.refusal.explanation.as_deref().unwrap_or("The double was told to refuse.");
            json!({ "type": "refusal", "category": self.refusal.category, "explanation": explanation })
        } else {
            Value::Null
        }
    }

    pub(crate) fn usage_view(&self, output_tokens: u64, thinking_tokens: Option<u64>) -> Value {
        let hour = self.usage.cache_creation_1h_input_tokens;
        let mut view = json!({
            "input_tokens": self.usage.input_tokens,
            "cache_creation_input_tokens": self.usage.cache_creation_input_tokens,
            "cache_read_input_tokens": self.usage.cache_read_input_tokens,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.usage.cache_creation_input_tokens.saturating_sub(hour),
                "ephemeral_1h_input_tokens": hour,
            },
            "output_tokens": output_tokens,
            "output_tokens_details": thinking_tokens.map(|tokens| json!({ "thinking_tokens": tokens })),
            "server_tool_use": null, "service_tier": self.service_tier, "inference_geo": "global",
            "speed": "standard",
        });
        if self.strange.contains(&Strange::Field) {
            view["double_sparks"] = 3.into();
        }
        view
    }
}

fn thinks(body: &Map<String, Value>) -> bool {
    body.get("thinking").is_none_or(|thinking| thinking["type"] != "disabled")
}

fn blocks(answer: &Answer, body: &Map<String, Value>, checked: &Checked) -> Vec<Value> {
    let before = checked.rendered.before.last().copied().unwrap_or_default();
    let mut content = Vec::new();
    if let Some(thinking) = answer.thinking.as_deref().filter(|_| thinks(body)) {
        let omitted = body.get("thinking").is_some_and(|given| given["display"] == "omitted");
        let shown = if omitted { "" } else { thinking };
        let signature = sign::thinking(&before, thinking);
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
    if answer.strange.contains(&Strange::Block) {
        content
            .insert(0, json!({ "type": STRANGE_BLOCK, "lines": [[0, 1], [2, 3]], "note": "not yet known" }));
    }
    if answer.strange.contains(&Strange::Field) {
        for block in &mut content {
            block[STRANGE_FIELD] = "blue".into();
        }
    }
    content
}

fn server_tool_use() -> Value {
    let id = format!("srvtoolu_{}", Uuid::new_v4().simple());
    json!({
        "type": "server_tool_use", "id": id, "name": "web_search", "input": { "query": "double" },
        "caller": { "type": "direct" },
    })
}

/// The block that stands for everything the request holds; its text is what the rule says.
fn compaction(answer: &Answer, body: &Map<String, Value>, checked: &Checked) -> Value {
    let messages = body.get("messages").and_then(Value::as_array).map_or(0, Vec::len);
    let say = answer.say.clone().filter(|say| !say.is_empty());
    let summary = say.unwrap_or_else(|| format!("[double] What {messages} messages said."));
    let prefix = checked.rendered.before.last().copied().unwrap_or_default();
    json!({
        "type": "compaction", "content": summary, "encrypted_content": sign::encrypted(&summary),
        "signature": sign::compaction(&prefix, &summary), "tool_changes": [],
    })
}
