//! The ways an answer can be broken on purpose.

mod form;

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};

use crate::refusal::{Refusal, message_of};
pub(crate) use form::FaultForm;

/// A fault that was written wrongly.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// No fault has this name.
    #[error(
        "`{0}` is not a fault; name a status or one of cut_before_headers, cut, cut_in_event, error_event, garbage, \
         garbled_json, invalid_utf8, pings, stall, spend_limit"
    )]
    UnknownWord(String),
    /// A fault needs exactly one kind.
    #[error(
        "a fault is exactly one of status, cut_after_events, cut_in_event, cut_before_headers, error_event, garbage, \
         garbled_json_after, invalid_utf8_after, pings_ms, stall_after_events, delay_ms, first_byte_ms; this one has \
         {0}"
    )]
    Kinds(usize),
    /// The status is not one of an error.
    #[error("{0} is not an error status; write one from 400 to 599")]
    Status(u16),
    /// A field that only a status has.
    #[error("`{0}` belongs to a fault with a status")]
    NoStatus(&'static str),
    /// A header cannot be sent.
    #[error("`{0}` is not a header that can be sent; check its name and value")]
    Header(String),
}

/// How one answer is broken.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// An error answer instead of the message.
    Status {
        status: StatusCode,
        kind: String,
        /// `None` for the usual one.
        message: Option<String>,
        /// `error.details.error_code`.
        code: Option<String>,
        headers: Vec<(HeaderName, HeaderValue)>,
    },
    /// The connection closes after so many events; in JSON, after half of the body.
    CutAfterEvents(usize),
    /// The connection closes in the middle of the event after so many; in JSON, after half of the body.
    CutInEvent(usize),
    /// The connection closes without an answer.
    CutBeforeHeaders,
    /// An `error` event takes the place of the rest, after the 200 was sent.
    ErrorEvent { after: usize, kind: String, message: String },
    /// The body is neither JSON nor events.
    Garbage,
    /// The answer stops after so many events and the connection stays open.
    StallAfterEvents(usize),
    /// After so many events comes one whose data is not JSON, and then the rest.
    GarbledJson(usize),
    /// After so many events comes a text that is not UTF-8, its broken letter cut over two pieces, and then the rest.
    InvalidUtf8(usize),
    /// After the first event nothing comes but pings, one per so long, for ever.
    Pings(Duration),
    /// The answer begins later.
    Delay(Duration),
    /// The headers come at once, the first byte of the body later.
    FirstByte(Duration),
}

impl Fault {
    /// True when the answer begins and does not reach its end.
    pub(crate) fn breaks_the_body(&self) -> bool {
        match self {
            Self::CutAfterEvents(_)
            | Self::CutInEvent(_)
            | Self::ErrorEvent { .. }
            | Self::Garbage
            | Self::GarbledJson(_)
            | Self::InvalidUtf8(_)
            | Self::Pings(_)
            | Self::StallAfterEvents(_) => true,
            Self::Status { .. } | Self::CutBeforeHeaders | Self::Delay(_) | Self::FirstByte(_) => false,
        }
    }

    /// The refusal that a status fault answers a request for this model with.
    pub(crate) fn refusal(&self, model: &str) -> Option<Refusal> {
        let Self::Status { status, kind, message, code, headers } = self else {
            return None;
        };
        let usual = || match *status {
            StatusCode::NOT_FOUND => format!("model: {model}"),
            other => message_of(other).to_owned(),
        };
        Some(Refusal {
            status: *status,
            kind: kind.clone(),
            message: message.clone().unwrap_or_else(usual),
            code: code.clone(),
            headers: headers.clone(),
        })
    }
}
