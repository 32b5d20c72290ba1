//! Puts a reply together from the events of a stream.
//!
//! Text, thoughts and signatures are joined as JSON text, between the quotes, without decoding: whatever escapes
//! the service used, the assembled block has the same. Fields this crate does not know stay in their places.

mod block;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::block::{Delta, OpenBlock};
use crate::error::ErrorBody;
use crate::price::most_tokens;
use crate::raw::RawObject;
use crate::sse::Event;
use crate::wire::message::{End, Envelope, Message, ParsedBlock};
use crate::wire::stop::StopReason;
use crate::wire::usage::{Usage, UsagePatch};

/// The largest reply, in bytes of events. The largest replies are those with results of server tools.
const MAX_REPLY_BYTES: usize = 32 * 1024 * 1024;

/// What a stream brings while it runs, for people who watch. It must not be acted on: the reply may still fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// The service took the request, under this id. From here on it may charge.
    Accepted {
        /// The service's id of the call.
        request_id: &'a str,
    },
    /// The reply began.
    Started {
        /// The service's id of the reply.
        message_id: &'a str,
        /// The model that answers.
        model: &'a str,
    },
    /// The next piece of text.
    Text(&'a str),
    /// The next piece of a thought.
    Thinking(&'a str),
    /// A tool call began.
    ToolUse {
        /// The call's id.
        id: &'a str,
        /// The tool.
        name: &'a str,
    },
    /// The next piece of the tool call's input.
    ToolInput(&'a str),
    /// The tokens so far. A running total that replaces the one before. While the service has not counted what it sends,
    /// the output is what the pieces may at most count as; the last total of a whole reply is the service's own.
    Usage(Usage),
}

/// What one event meant for the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing: a ping, or an event this crate does not know.
    Nothing,
    /// The reply went on.
    Content,
    /// The reply is complete.
    Done,
}

/// Why the stream gives no reply.
#[derive(Debug)]
pub(crate) enum Failure {
    Api(ErrorBody),
    Protocol(String),
}

/// The reply as far as it has come.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    begun: Option<Envelope>,
    open: Option<OpenBlock>,
    blocks: Vec<ParsedBlock>,
    end: End,
    bytes: usize,
    /// Bytes of content that came since the service last counted. It charges them, whether it comes to count or not.
    uncounted: u64,
    /// The most output that the request allows, in tokens.
    most_output: u64,
}

impl Assembler {
    /// For the reply to a request of so many `max_tokens`.
    pub(crate) fn within(max_tokens: u32) -> Self {
        Self { most_output: max_tokens.into(), ..Self::default() }
    }

    /// The tokens of the stream as far as it came, `torn` bytes of an event that is not whole included; `None` before
    /// it began. What was not counted by the service is taken for as much as it may be.
    pub(crate) fn usage(&self, torn: usize) -> Option<Usage> {
        let mut usage = self.begun.as_ref()?.usage;
        // After the reason why it stopped no content comes.
        let torn = if self.end.stop_reason.is_some() { 0 } else { torn };
        let uncounted = most_tokens(self.uncounted.saturating_add(torn as u64));
        let most = usage.output_tokens.max(self.most_output);
        usage.output_tokens = usage.output_tokens.saturating_add(uncounted).min(most);
        Some(usage)
    }

    fn hear(&mut self, bytes: u64, on_event: &mut impl FnMut(Progress<'_>)) {
        self.uncounted = self.uncounted.saturating_add(bytes);
        if let Some(usage) = self.usage(0) {
            on_event(Progress::Usage(usage));
        }
    }

    /// Takes the next event.
    pub(crate) fn accept(
        &mut self,
        event: &Event,
        on_event: &mut impl FnMut(Progress<'_>),
    ) -> Result<Step, Failure> {
        self.bytes = self.bytes.saturating_add(event.data.len());
        if self.bytes > MAX_REPLY_BYTES {
            return Err(protocol(format!("the reply is larger than {MAX_REPLY_BYTES} bytes")));
        }
        let Kind { kind } = read(event)?;
        let kind = kind.as_deref().unwrap_or(&event.name);
        if kind == "error" {
            return Err(Failure::Api(read(event)?));
        }
        if self.begun.is_none() && !matches!(kind, "message_start" | "ping") && is_known(kind) {
            return Err(protocol(format!("{kind} before message_start")));
        }
        match kind {
            "message_start" => self.start(read(event)?, on_event)?,
            "content_block_start" => self.start_block(read(event)?, on_event)?,
            "content_block_delta" => self.delta(&read(event)?, on_event)?,
            "content_block_stop" => self.stop_block(&read(event)?)?,
            "message_delta" => self.message_delta(read(event)?, on_event),
            "message_stop" => return Ok(Step::Done),
            "ping" => return Ok(Step::Nothing),
            other => {
                tracing::debug!(event = other, "Ignored an event of unknown type");
                return Ok(Step::Nothing);
            }
        }
        Ok(Step::Content)
    }

    fn start(&mut self, start: MessageStart, on_event: &mut impl FnMut(Progress<'_>)) -> Result<(), Failure> {
        if self.begun.is_some() {
            return Err(protocol("a second message_start".to_owned()));
        }
        let message = self.begun.insert(start.message);
        on_event(Progress::Started { message_id: &message.id, model: &message.model });
        on_event(Progress::Usage(message.usage));
        Ok(())
    }

    fn start_block(
        &mut self,
        start: BlockStart,
        on_event: &mut impl FnMut(Progress<'_>),
    ) -> Result<(), Failure> {
        if let Some(open) = &self.open {
            return Err(protocol(format!("block {} began inside block {}", start.index, open.index)));
        }
        let object: RawObject = serde_json::from_str(start.content_block.get())
            .map_err(|error| protocol(format!("content_block_start: {error}")))?;
        if object.text("type").as_deref() == Some("tool_use")
            && let (Some(id), Some(name)) = (object.text("id"), object.text("name"))
        {
            on_event(Progress::ToolUse { id: &id, name: &name });
        }
        let bytes = block::begun_bytes(&object);
        self.open = Some(OpenBlock::new(start.index, start.content_block, object));
        self.hear(bytes, on_event);
        Ok(())
    }

    fn delta(
        &mut self,
        delta: &BlockDelta<'_>,
        on_event: &mut impl FnMut(Progress<'_>),
    ) -> Result<(), Failure> {
        self.open_block(delta.index)?.accept(&delta.delta, on_event)?;
        self.hear(delta.delta.bytes(), on_event);
        Ok(())
    }

    fn stop_block(&mut self, stop: &BlockStop) -> Result<(), Failure> {
        self.open_block(stop.index)?;
        if let Some(open) = self.open.take() {
            self.blocks.push(open.close().map_err(protocol)?);
        }
        Ok(())
    }

    fn open_block(&mut self, index: u64) -> Result<&mut OpenBlock, Failure> {
        self.open
            .as_mut()
            .filter(|open| open.index == index)
            .ok_or_else(|| protocol(format!("an event for block {index}, which is not open")))
    }

    fn message_delta(&mut self, delta: MessageDelta, on_event: &mut impl FnMut(Progress<'_>)) {
        let End { stop_reason, stop_sequence, stop_details } = delta.delta;
        self.end.stop_reason = stop_reason.or(self.end.stop_reason.take());
        self.end.stop_sequence = stop_sequence.or(self.end.stop_sequence.take());
        self.end.stop_details = stop_details.or(self.end.stop_details.take());
        if let (Some(begun), Some(usage)) = (&mut self.begun, delta.usage) {
            if begun.usage.overwrite(usage) {
                self.uncounted = 0;
            }
            on_event(Progress::Usage(begun.usage));
        }
    }

    /// The finished reply: the typed view, the content as a JSON array, the tokens.
    pub(crate) fn finish(self) -> Result<(Message, String, Usage), String> {
        let begun = self.begun.ok_or("message_stop before message_start")?;
        if let Some(open) = self.open {
            return Err(format!("message_stop inside block {}", open.index));
        }
        conclude(begun, self.blocks, self.end)
    }
}

/// Reads a reply that came as one JSON document.
pub(crate) fn whole(mut envelope: Envelope) -> Result<(Message, String, Usage), String> {
    let blocks =
        envelope.content.iter().map(|raw| ParsedBlock::from_raw(raw)).collect::<Result<Vec<_>, _>>()?;
    let end = End {
        stop_reason: envelope.stop_reason.take(),
        stop_sequence: envelope.stop_sequence.take(),
        stop_details: envelope.stop_details.take(),
    };
    conclude(envelope, blocks, end)
}

fn conclude(begun: Envelope, blocks: Vec<ParsedBlock>, end: End) -> Result<(Message, String, Usage), String> {
    let stop_reason = end.stop_reason.ok_or("the reply ended without a stop reason")?;
    let (json, content): (Vec<String>, Vec<_>) =
        blocks.into_iter().map(|block| (block.json, block.view)).unzip();
    let message = Message {
        id: begun.id,
        model: begun.model,
        stop_reason: StopReason::from(stop_reason.as_str()),
        stop_sequence: end.stop_sequence,
        stop_details: end.stop_details,
        content,
        cache_miss: begun.diagnostics.and_then(|diagnosed| diagnosed.cache_miss_reason),
    };
    Ok((message, format!("[{}]", json.join(",")), begun.usage))
}

fn protocol(message: String) -> Failure {
    Failure::Protocol(message)
}

fn is_known(kind: &str) -> bool {
    kind.starts_with("content_block_") || matches!(kind, "message_delta" | "message_stop")
}

fn read<'a, T: Deserialize<'a>>(event: &'a Event) -> Result<T, Failure> {
    serde_json::from_str(&event.data).map_err(|error| protocol(format!("event {:?}: {error}", event.name)))
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct MessageStart {
    message: Envelope,
}

#[derive(Deserialize)]
struct BlockStart {
    index: u64,
    content_block: Box<RawValue>,
}

#[derive(Deserialize)]
struct BlockDelta<'a> {
    index: u64,
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct BlockStop {
    index: u64,
}

#[derive(Deserialize)]
struct MessageDelta {
    #[serde(default)]
    delta: End,
    #[serde(default)]
    usage: Option<UsagePatch>,
}

#[cfg(test)]
mod tests;
