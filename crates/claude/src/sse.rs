//! Server-sent events, decoded from bytes that arrive in any pieces.
//!
//! Follows the WHATWG rules for lines, fields and dispatch, with two differences: bytes that are not UTF-8 are
//! an error rather than replaced, since signed content must not be changed, and an event has a largest size.

/// The largest event, in bytes. A reply has at most 128,000 tokens, and each event carries a piece of it; the
/// results of server tools come in one piece and are the largest.
const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The `event` field; empty when there was none.
    pub name: String,
    /// The `data` lines, joined by line feeds.
    pub data: String,
}

/// Why a stream cannot be decoded further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("the stream is not UTF-8")]
    NotUtf8,
    #[error("an event is larger than {MAX_EVENT_BYTES} bytes")]
    TooLarge,
}

/// Takes bytes, gives events. After an error it gives nothing more.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed right after it belongs to the same line end.
    after_cr: bool,
    first_line_done: bool,
    name: String,
    data: Option<String>,
    failed: bool,
}

impl Decoder {
    /// Decodes the next bytes and calls `sink` with each event that they complete.
    pub(crate) fn push(&mut self, chunk: &[u8], mut sink: impl FnMut(Event)) -> Result<(), DecodeError> {
        if self.failed {
            return Ok(());
        }
        self.decode(chunk, &mut sink).inspect_err(|_| self.failed = true)
    }

    /// Bytes of an event that has not come whole.
    pub(crate) fn torn(&self) -> usize {
        self.line.len() + self.data.as_ref().map_or(0, String::len)
    }

    fn decode(&mut self, mut rest: &[u8], sink: &mut impl FnMut(Event)) -> Result<(), DecodeError> {
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &rest[..end.unwrap_or(rest.len())];
            if self.torn() + part.len() > MAX_EVENT_BYTES {
                return Err(DecodeError::TooLarge);
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else { break };
            self.after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.line);
            self.end_line(&line, sink)?;
            // The buffer is used again for the next line.
            self.line = line;
            self.line.clear();
        }
        Ok(())
    }

    fn end_line(&mut self, mut line: &[u8], sink: &mut impl FnMut(Event)) -> Result<(), DecodeError> {
        if !std::mem::replace(&mut self.first_line_done, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            if let Some(data) = self.data.take() {
                sink(Event { name, data });
            }
            return Ok(());
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => text(value)?.clone_into(&mut self.name),
            b"data" => {
                let value = text(value)?;
                match &mut self.data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => self.data = Some(value.to_owned()),
                }
            }
            // Comments, `id`, `retry` and fields to come mean nothing to us.
            _ => {}
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8)
}

#[cfg(test)]
mod tests;
