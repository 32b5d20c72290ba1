//! The rendered request as a chain of blocks: its size, and a digest of every prefix.
//!
//! Usage, `count_tokens`, the prompt cache and the signatures of thinking blocks all rest on this one walk.

use std::hash::{DefaultHasher, Hasher};

use serde_json::{Map, Value};

/// Bytes that an image counts as: 1,600 tokens, a picture of about a megapixel.
const IMAGE_BYTES: u64 = 5_600;

/// How long a marked prefix stays in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ttl {
    FiveMinutes,
    Hour,
}

/// One block of the rendered request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// Digest of everything up to and including this block.
    pub(crate) digest: u64,
    /// Bytes up to and including this block.
    pub(crate) bytes: u64,
    /// The cache marker that the block carries.
    pub(crate) marker: Option<Ttl>,
}

/// The request, rendered: `tools`, then `system`, then `messages`.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) marks: Vec<Mark>,
    /// For each message, the digest of the messages before it; one more for the answer to come.
    pub(crate) before: Vec<u64>,
}

impl Rendered {
    pub(crate) fn of(model: &str, body: &Map<String, Value>) -> Self {
        let mut chain = Chain::new(model);
        for tool in body.get("tools").and_then(Value::as_array).into_iter().flatten() {
            chain.block("tool", tool);
        }
        match body.get("system") {
            Some(Value::Array(blocks)) => blocks.iter().for_each(|block| chain.block("system", block)),
            Some(text) => chain.block("system", text),
            None => {}
        }
        let mut before = Vec::new();
        let mut turns = DefaultHasher::new();
        for message in body.get("messages").and_then(Value::as_array).into_iter().flatten() {
            before.push(turns.finish());
            let role = message["role"].as_str().unwrap_or_default();
            match &message["content"] {
                Value::Array(blocks) => {
                    for block in blocks {
                        chain.block(role, block);
                        absorb_block(&mut turns, role, block);
                    }
                }
                text => {
                    chain.block(role, text);
                    absorb_block(&mut turns, role, text);
                }
            }
        }
        before.push(turns.finish());
        let mut marks = chain.marks;
        if let (Some(ttl), Some(last)) = (body.get("cache_control").and_then(ttl), marks.last_mut()) {
            last.marker = Some(ttl);
        }
        Self { marks, before }
    }

    /// Bytes of the whole request.
    pub(crate) fn bytes(&self) -> u64 {
        self.marks.last().map_or(0, |mark| mark.bytes)
    }
}

struct Chain {
    hasher: DefaultHasher,
    bytes: u64,
    marks: Vec<Mark>,
}

impl Chain {
    fn new(model: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(model.as_bytes());
        Self { hasher, bytes: 0, marks: Vec::new() }
    }

    fn block(&mut self, role: &str, block: &Value) {
        self.bytes += absorb_block(&mut self.hasher, role, block);
        let marker = block.get("cache_control").and_then(ttl);
        self.marks.push(Mark { digest: self.hasher.finish(), bytes: self.bytes, marker });
    }
}

fn absorb_block(hasher: &mut DefaultHasher, role: &str, block: &Value) -> u64 {
    hasher.write(role.as_bytes());
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
fn absorb(hasher: &mut DefaultHasher, value: &Value) -> u64 {
    match value {
        Value::Null => 0,
        Value::Bool(flag) => {
            hasher.write_u8(u8::from(*flag));
            4
        }
        Value::Number(number) => absorb_str(hasher, &number.to_string()),
        Value::String(text) => absorb_str(hasher, text),
        Value::Array(items) => {
            hasher.write_usize(items.len());
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

fn absorb_str(hasher: &mut DefaultHasher, text: &str) -> u64 {
    hasher.write_usize(text.len());
    hasher.write(text.as_bytes());
    text.len() as u64
}

fn ttl(marker: &Value) -> Option<Ttl> {
    marker.as_object()?;
    Some(if marker["ttl"] == "1h" { Ttl::Hour } else { Ttl::FiveMinutes })
}

/// The signature of a thinking block in an answer that follows the digested messages.
pub(crate) fn signature(before: u64, thinking: &str) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(b"claude-double");
    hasher.write_u64(before);
    hasher.write(thinking.as_bytes());
    format!("double-{before:016x}-{:016x}", hasher.finish())
}

/// Whether a thinking block came out of this double in answer to the digested messages.
///
/// The text is checked only where it is present: `display: omitted` sends the signature alone.
pub(crate) fn signature_holds(before: u64, thinking: &str, signed: &str) -> bool {
    if thinking.is_empty() {
        return signed.starts_with(&format!("double-{before:016x}-"));
    }
    signed == signature(before, thinking)
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
}
