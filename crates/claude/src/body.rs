//! A response body read under two time limits and a size limit.

use std::ops::Deref;

use reqwest::Response;
use tokio::time::{Duration, Instant, timeout_at};

use crate::error::{Error, Partial, Phase};
use crate::exchange::Exchange;
use crate::rate_limit;
use crate::wire::usage::Usage;

/// The largest body that is read as one document.
const MAX_DOCUMENT_BYTES: usize = 32 * 1024 * 1024;

/// The part of an error's body that is kept.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// The body of one response.
pub(crate) struct Body<'a> {
    response: Response,
    request_id: Option<String>,
    idle: Duration,
    quiet_until: Instant,
    deadline: Instant,
    /// Where the bytes are kept besides, if anywhere.
    seen: Option<&'a mut Vec<u8>>,
}

impl<'a> Body<'a> {
    /// Reads `response` until `deadline`, and never waits longer than `idle` between two signs of life.
    pub(crate) fn new(response: Response, idle: Duration, deadline: Instant) -> Self {
        let request_id = rate_limit::request_id(response.headers());
        Self { response, request_id, idle, quiet_until: Instant::now() + idle, deadline, seen: None }
    }

    /// Keeps every byte that is read in the answer of `exchange`.
    pub(crate) fn seen(mut self, exchange: Option<&'a mut Exchange>) -> Self {
        self.seen = exchange.and_then(|exchange| exchange.answer.as_mut()).map(|answer| &mut answer.body);
        self
    }

    /// Starts the idle time anew. The reader calls this for what it counts as content.
    pub(crate) fn alive(&mut self) {
        self.quiet_until = Instant::now() + self.idle;
    }

    /// What an error carries that comes now, when the stream reported `usage`.
    pub(crate) fn partial(&self, usage: Option<Usage>) -> Partial {
        Partial { request_id: self.request_id.clone(), usage }
    }

    /// The next bytes; `None` at the orderly end. `usage` is what an error will carry.
    pub(crate) async fn next(
        &mut self,
        usage: Option<Usage>,
    ) -> Result<Option<impl Deref<Target = [u8]> + use<>>, Error> {
        match timeout_at(self.quiet_until.min(self.deadline), self.response.chunk()).await {
            Ok(Ok(bytes)) => {
                if let (Some(seen), Some(bytes)) = (&mut self.seen, &bytes) {
                    seen.extend_from_slice(bytes);
                }
                Ok(bytes)
            }
            Ok(Err(source)) => Err(Error::Cut { partial: self.partial(usage), source: Some(source) }),
            Err(_) if self.quiet_until < self.deadline => {
                Err(Error::Idle { after: self.idle, partial: self.partial(usage) })
            }
            Err(_) => Err(Error::Timeout { phase: Phase::Total, partial: self.partial(usage) }),
        }
    }

    /// The whole body, where each piece of it is a sign of life.
    pub(crate) async fn document(&mut self) -> Result<Vec<u8>, Error> {
        let mut document = Vec::new();
        while let Some(bytes) = self.next(None).await? {
            if document.len() + bytes.len() > MAX_DOCUMENT_BYTES {
                let message = format!("the answer is larger than {MAX_DOCUMENT_BYTES} bytes");
                return Err(Error::Protocol { message, partial: self.partial(None) });
            }
            document.extend_from_slice(&bytes);
            self.alive();
        }
        Ok(document)
    }

    /// The beginning of an error's body. The status already says that the call failed, so a body that breaks
    /// off or does not come is used as far as it came.
    pub(crate) async fn error_text(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while let Ok(Some(bytes)) = self.next(None).await {
            let room = MAX_ERROR_BYTES - text.len();
            text.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if text.len() == MAX_ERROR_BYTES {
                break;
            }
        }
        text
    }
}
