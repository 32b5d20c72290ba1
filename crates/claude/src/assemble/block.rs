//! One content block of a stream, from its start to its stop.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Failure, Progress, protocol};
use crate::raw::{self, RawObject};
use crate::wire::message::{ParsedBlock, empty_object};

/// A piece of a block; which field carries it depends on the type.
#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow, default)]
    signature: Option<&'a RawValue>,
    #[serde(borrow, default)]
    partial_json: Option<&'a RawValue>,
    #[serde(borrow, default)]
    citation: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    encrypted_content: Option<&'a RawValue>,
}

impl Delta<'_> {
    /// Bytes of content in it, as they are written.
    pub(super) fn bytes(&self) -> u64 {
        let fields = [
            self.text,
            self.thinking,
            self.signature,
            self.partial_json,
            self.content,
            self.encrypted_content,
        ];
        fields.into_iter().flatten().filter_map(raw::inner).map(|piece| piece.len() as u64).sum()
    }
}

/// Bytes of content that a block begins with: the name of a tool and its empty input, or what a text has from the start.
pub(super) fn begun_bytes(block: &RawObject) -> u64 {
    let fields = ["text", "thinking", "name", "content"].into_iter().filter_map(|field| block.get(field));
    let text = fields.filter_map(raw::inner).map(|piece| piece.len() as u64).sum::<u64>();
    text + if block.get("input").is_some() { 2 } else { 0 }
}

/// A block between its start and its stop.
#[derive(Debug)]
pub(super) struct OpenBlock {
    pub(super) index: u64,
    /// The block as it began; sent back as it is when nothing was added.
    begun: Box<RawValue>,
    object: RawObject,
    /// Fields that grow, as JSON text between the quotes.
    strings: Vec<(&'static str, String)>,
    input: Option<String>,
    citations: Vec<Box<RawValue>>,
}

impl OpenBlock {
    pub(super) fn new(index: u64, begun: Box<RawValue>, object: RawObject) -> Self {
        Self { index, begun, object, strings: Vec::new(), input: None, citations: Vec::new() }
    }

    pub(super) fn accept(
        &mut self,
        delta: &Delta<'_>,
        on_event: &mut impl FnMut(Progress<'_>),
    ) -> Result<(), Failure> {
        let missing = || protocol(format!("{} without its value", delta.kind));
        match &*delta.kind {
            "text_delta" => {
                let piece = delta.text.ok_or_else(missing)?;
                self.append("text", piece).ok_or_else(missing)?;
                on_event(Progress::Text(&raw::decode(piece).ok_or_else(missing)?));
            }
            "thinking_delta" => {
                let piece = delta.thinking.ok_or_else(missing)?;
                self.append("thinking", piece).ok_or_else(missing)?;
                on_event(Progress::Thinking(&raw::decode(piece).ok_or_else(missing)?));
            }
            "signature_delta" => {
                self.append("signature", delta.signature.ok_or_else(missing)?).ok_or_else(missing)?;
            }
            "input_json_delta" => {
                let piece = raw::decode(delta.partial_json.ok_or_else(missing)?).ok_or_else(missing)?;
                self.input.get_or_insert_default().push_str(&piece);
                on_event(Progress::ToolInput(&piece));
            }
            "compaction_delta" => {
                for (field, piece) in
                    [("content", delta.content), ("encrypted_content", delta.encrypted_content)]
                {
                    if let Some(piece) = piece.filter(|piece| piece.get() != "null") {
                        self.append(field, piece).ok_or_else(missing)?;
                    }
                }
            }
            "citations_delta" => self.citations.push(delta.citation.ok_or_else(missing)?.to_owned()),
            other => tracing::debug!(delta = other, "Ignored a delta of unknown type"),
        }
        Ok(())
    }

    fn append(&mut self, field: &'static str, piece: &RawValue) -> Option<()> {
        let piece = raw::inner(piece)?;
        if let Some((_, text)) = self.strings.iter_mut().find(|(name, _)| *name == field) {
            text.push_str(piece);
        } else {
            let begun = self.object.get(field).and_then(raw::inner).unwrap_or_default();
            self.strings.push((field, format!("{begun}{piece}")));
        }
        Some(())
    }

    pub(super) fn close(mut self) -> Result<ParsedBlock, String> {
        if self.strings.is_empty() && self.citations.is_empty() && self.input.is_none() {
            return ParsedBlock::from_raw(&self.begun);
        }
        for (field, text) in &self.strings {
            self.object.set(field, raw_json(format!("\"{text}\""))?);
        }
        if !self.citations.is_empty() {
            let citations: Vec<&str> = self.citations.iter().map(|citation| citation.get()).collect();
            self.object.set("citations", raw_json(format!("[{}]", citations.join(",")))?);
        }
        let mut invalid = None;
        // An input that never came is the one the block began with, mostly `{}`.
        if let Some(input) = self.input.filter(|input| !input.trim().is_empty()) {
            match RawValue::from_string(input.clone()) {
                Ok(json) if json.get().starts_with('{') => self.object.set("input", json),
                _ => {
                    self.object.set("input", empty_object());
                    invalid = Some(input);
                }
            }
        }
        ParsedBlock::from_object(&self.object, invalid)
    }
}

fn raw_json(json: String) -> Result<Box<RawValue>, String> {
    RawValue::from_string(json).map_err(|error| format!("joined deltas: {error}"))
}
