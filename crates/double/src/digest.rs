//! The rendered request as a chain of blocks: its size, and a digest of every prefix.
//!
//! Usage, `count_tokens`, the prompt cache and the signatures of thinking blocks all rest on this one walk.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Bytes that an image counts as: 1,600 tokens, a picture of about a megapixel.
const IMAGE_BYTES: u64 = 5_600;

/// SHA-256 of a rendered prefix, as a chain over its blocks.
pub(crate) type Digest = [u8; 32];

/// How long a marked prefix stays in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ttl {
    FiveMinutes,
    Hour,
}

/// One block of the rendered request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// Digest of everything up to and including this block, and of the settings that the cache heeds.
    pub(crate) digest: Digest,
    /// Bytes up to and including this block.
    pub(crate) bytes: u64,
    /// The cache marker that the block carries.
    pub(crate) marker: Option<Ttl>,
}

/// The request, rendered: `tools`, then `system`, then `messages`.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub(crate) marks: Vec<Mark>,
    /// For each message, the digest of everything before it; one more for the answer to come.
    pub(crate) before: Vec<Digest>,
    /// The parts that a change is looked for in.
    pub(crate) tiers: Tiers,
}

/// What invalidates how much of the cache: tools everything, the system prompt all but them, settings the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tiers {
    pub(crate) tools: Digest,
    pub(crate) system: Digest,
    /// Choice of tools, thinking on or off, pictures or none.
    pub(crate) settings: Digest,
}

impl Rendered {
    pub(crate) fn of(model: &str, body: &Map<String, Value>) -> Self {
        let mut chain = Chain::new(model);
        for tool in body.get("tools").and_then(Value::as_array).into_iter().flatten() {
            chain.block("tool", tool);
        }
        let tools = chain.before;
        match body.get("system") {
            Some(Value::Array(blocks)) => blocks.iter().for_each(|block| chain.block("system", block)),
            Some(text) => chain.block("system", text),
            None => {}
        }
        let settings = settings(body);
        let tiers = Tiers { tools, system: chain.before, settings };
        chain.cached = linked(&chain.cached, &settings);
        let mut before = Vec::new();
        for message in body.get("messages").and_then(Value::as_array).into_iter().flatten() {
            before.push(chain.before);
            let role = message["role"].as_str().unwrap_or_default();
            match &message["content"] {
                Value::Array(blocks) => blocks.iter().for_each(|block| chain.block(role, block)),
                text => chain.block(role, text),
            }
        }
        before.push(chain.before);
        let mut marks = chain.marks;
        if let (Some(ttl), Some(last)) = (body.get("cache_control").and_then(ttl), marks.last_mut()) {
            last.marker = Some(ttl);
        }
        Self { marks, before, tiers }
    }

    /// Bytes of the whole request.
    pub(crate) fn bytes(&self) -> u64 {
        self.marks.last().map_or(0, |mark| mark.bytes)
    }
}

/// Two chains over the same blocks: one that signatures rest on, and one that the cache rests on, which heeds the
/// model and some settings too.
struct Chain {
    before: Digest,
    cached: Digest,
    bytes: u64,
    marks: Vec<Mark>,
}

impl Chain {
    fn new(model: &str) -> Self {
        Self {
            before: Digest::default(),
            cached: Sha256::digest(model.as_bytes()).into(),
            bytes: 0,
            marks: Vec::new(),
        }
    }

    fn block(&mut self, role: &str, block: &Value) {
        let mut hasher = Sha256::new();
        self.bytes += absorb_block(&mut hasher, role, block);
        let digest = hasher.finalize().into();
        self.before = linked(&self.before, &digest);
        self.cached = linked(&self.cached, &digest);
        let marker = block.get("cache_control").and_then(ttl);
        self.marks.push(Mark { digest: self.cached, bytes: self.bytes, marker });
    }
}

fn linked(before: &Digest, next: &Digest) -> Digest {
    Sha256::new().chain_update(before).chain_update(next).finalize().into()
}

fn settings(body: &Map<String, Value>) -> Digest {
    let mut hasher = Sha256::new();
    if let Some(choice) = body.get("tool_choice") {
        absorb(&mut hasher, choice);
    }
    let thinks = body.get("thinking").is_none_or(|thinking| thinking["type"] != "disabled");
    hasher.update([u8::from(thinks), u8::from(body.get("messages").is_some_and(shows_pictures))]);
    hasher.finalize().into()
}

/// Whether a picture stands somewhere in the messages, also in the result of a tool.
fn shows_pictures(content: &Value) -> bool {
    match content {
        Value::Array(items) => items.iter().any(shows_pictures),
        Value::Object(block) => {
            block.get("type").is_some_and(|kind| kind == "image")
                || block.get("content").is_some_and(shows_pictures)
        }
        _ => false,
    }
}

fn absorb_block(hasher: &mut Sha256, role: &str, block: &Value) -> u64 {
    absorb_str(hasher, role);
    match block {
        // A plain string is short for one text block.
        Value::String(text) => {
            absorb_str(hasher, "text");
            absorb_str(hasher, text)
        }
        Value::Object(fields) if fields.get("type").is_some_and(|kind| kind == "text") => {
            absorb_str(hasher, "text");
            fields.get("text").map_or(0, |text| absorb(hasher, text))
        }
        other => absorb(hasher, other),
    }
}

/// Digests a value and returns the bytes it counts as. The order of fields, nulls, cache markers and what a
/// client adds to a block when it sends it back do not matter.
fn absorb(hasher: &mut Sha256, value: &Value) -> u64 {
    match value {
        Value::Null => 0,
        Value::Bool(flag) => {
            hasher.update([u8::from(*flag)]);
            4
        }
        Value::Number(number) => absorb_str(hasher, &number.to_string()),
        Value::String(text) => absorb_str(hasher, text),
        Value::Array(items) => {
            hasher.update((items.len() as u64).to_le_bytes());
            items.iter().map(|item| absorb(hasher, item)).sum()
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields
                .iter()
                .filter(|(name, value)| {
                    !value.is_null() && !matches!(name.as_str(), "cache_control" | "caller" | "citations")
                })
                .collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            let bytes = sorted
                .into_iter()
                .map(|(name, value)| absorb_str(hasher, name) + absorb(hasher, value))
                .sum();
            if fields.get("type").is_some_and(|kind| kind == "image") { IMAGE_BYTES } else { bytes }
        }
    }
}

fn absorb_str(hasher: &mut Sha256, text: &str) -> u64 {
    hasher.update((text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
    text.len() as u64
}

fn ttl(marker: &Value) -> Option<Ttl> {
    marker.as_object()?;
    Some(if marker["ttl"] == "1h" { Ttl::Hour } else { Ttl::FiveMinutes })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(body: &Value) -> Rendered {
        Rendered::of("claude-sonnet-5-5", body.as_object().expect("the test writes an object"))
    }

    #[test]
    fn what_a_client_adds_on_the_way_back_does_not_change_the_digest() {
        let plain = rendered(&json!({"messages": [{"role": "user", "content": "hello"}]}));
        let dressed = rendered(&json!({"messages": [{"role": "user", "content": [
            {"citations": null, "text": "hello", "type": "text", "cache_control": {"type": "ephemeral"}}
        ]}]}));
        assert_eq!(plain.before, dressed.before);
        assert_eq!(plain.bytes(), dressed.bytes());
        assert_eq!(dressed.marks[0].marker, Some(Ttl::FiveMinutes));
    }

    #[test]
    fn an_appended_message_leaves_the_earlier_digests_alone() {
        let short = rendered(&json!({"messages": [{"role": "user", "content": "a"}]}));
        let long = rendered(&json!({"messages": [
            {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
        ]}));
        assert_eq!(short.before[1], long.before[1]);
        assert_ne!(long.before[1], long.before[2]);
        assert_eq!(short.marks[0].digest, long.marks[0].digest);
    }

    #[test]
    fn settings_change_what_the_cache_sees_of_the_messages_and_no_signature() {
        let plain = rendered(&json!({"tools": [{"name": "a"}], "system": "s", "messages": [
            {"role": "user", "content": "a"}]}));
        let chosen = rendered(&json!({"tools": [{"name": "a"}], "system": "s",
            "tool_choice": {"type": "none"}, "messages": [{"role": "user", "content": "a"}]}));
        assert_eq!(plain.before, chosen.before);
        assert_eq!(plain.marks[1].digest, chosen.marks[1].digest, "tools and system stay");
        assert_ne!(plain.marks[2].digest, chosen.marks[2].digest);
    }
}
