//! A request body that is not given away after its time.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

/// The time of the request has passed. Nothing of its body was sent, so the service had nothing to act on.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the request was not sent in its time")]
pub(crate) struct Late;

impl Late {
    /// Whether this is why `error` came.
    pub(crate) fn caused(error: &reqwest::Error) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if error.is::<Self>() {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

/// The bytes of a request in one piece. The time is looked at when they are taken, right before they are written to the
/// connection: a process that was frozen while it connected sends nothing afterwards.
pub(crate) struct Timely {
    bytes: Option<Bytes>,
    latest: Instant,
}

impl Timely {
    /// Gives `bytes` until `latest`.
    pub(crate) fn new(bytes: Vec<u8>, latest: Instant) -> Self {
        Self { bytes: Some(bytes.into()), latest }
    }
}

impl Body for Timely {
    type Data = Bytes;
    type Error = Late;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Late>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        Poll::Ready(Some(if Instant::now() < self.latest { Ok(Frame::data(bytes)) } else { Err(Late) }))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
