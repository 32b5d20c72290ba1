//! The ways an answer can be broken on purpose.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::refusal::{Refusal, kind_of, message_of};

/// A fault that was written wrongly.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// No fault has this name.
    #[error(
        "`{0}` is not a fault; name a status or one of cut_before_headers, cut, error_event, garbage, stall"
    )]
    UnknownWord(String),
    /// A fault needs exactly one kind.
    #[error(
        "a fault is exactly one of status, cut_after_events, cut_before_headers, error_event, garbage, \
         stall_after_events, delay_ms; this one has {0}"
    )]
    Kinds(usize),
    /// The status is not one of an error.
    #[error("{0} is not an error status; write one from 400 to 599")]
    Status(u16),
    /// A header cannot be sent.
    #[error("`{0}` is not a header that can be sent; check its name and value")]
    Header(String),
}

/// How one answer is broken.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// An error answer instead of the message.
    Status { status: StatusCode, kind: String, message: String, headers: Vec<(HeaderName, HeaderValue)> },
    /// The connection closes after so many events; in JSON, after half of the body.
    CutAfterEvents(usize),
    /// The connection closes without an answer.
    CutBeforeHeaders,
    /// An `error` event takes the place of the rest, after the 200 was sent.
    ErrorEvent { after: usize, kind: String, message: String },
    /// The body is neither JSON nor events.
    Garbage,
    /// The answer stops after so many events and the connection stays open.
    StallAfterEvents(usize),
    /// The answer begins later.
    Delay(Duration),
}

impl Fault {
    /// True when the answer begins and does not reach its end.
    pub(crate) fn breaks_the_body(&self) -> bool {
        match self {
            Self::CutAfterEvents(_) | Self::ErrorEvent { .. } | Self::Garbage | Self::StallAfterEvents(_) => {
                true
            }
            Self::Status { .. } | Self::CutBeforeHeaders | Self::Delay(_) => false,
        }
    }

    /// The refusal that a status fault answers with.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let Self::Status { status, kind, message, headers } = self else {
            return None;
        };
        Some(Refusal {
            status: *status,
            kind: kind.clone(),
            message: message.clone(),
            headers: headers.clone(),
        })
    }
}

/// A fault as it is written: a word, a status, or fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum FaultForm {
    Status(u16),
    Word(String),
    Fields(Box<FaultFields>),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FaultFields {
    status: Option<u16>,
    error_type: Option<String>,
    message: Option<String>,
    retry_after: Option<u64>,
    headers: BTreeMap<String, String>,
    cut_after_events: Option<usize>,
    cut_before_headers: bool,
    error_event: Option<ErrorEventForm>,
    garbage: bool,
    stall_after_events: Option<usize>,
    delay_ms: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorEventForm {
    #[serde(default = "events_before_the_break")]
    after_events: usize,
    #[serde(default)]
    error_type: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// The message, the first block and its first delta were sent: the call is charged and the answer is torn.
const fn events_before_the_break() -> usize {
    3
}

impl TryFrom<FaultForm> for Fault {
    type Error = FaultError;

    fn try_from(form: FaultForm) -> Result<Self, FaultError> {
        match form {
            FaultForm::Status(status) => of_status(&FaultFields::default(), status),
            FaultForm::Word(word) => of_word(&word),
            FaultForm::Fields(fields) => of_fields(*fields),
        }
    }
}

fn of_word(word: &str) -> Result<Fault, FaultError> {
    match word {
        "cut_before_headers" => Ok(Fault::CutBeforeHeaders),
        "cut" => Ok(Fault::CutAfterEvents(events_before_the_break())),
        "error_event" => Ok(error_event(None)),
        "garbage" => Ok(Fault::Garbage),
        "stall" => Ok(Fault::StallAfterEvents(events_before_the_break())),
        word => match word.parse() {
            Ok(status) => of_status(&FaultFields::default(), status),
            Err(_) => Err(FaultError::UnknownWord(word.to_owned())),
        },
    }
}

fn of_fields(fields: FaultFields) -> Result<Fault, FaultError> {
    let kinds = usize::from(fields.status.is_some())
        + usize::from(fields.cut_after_events.is_some())
        + usize::from(fields.cut_before_headers)
        + usize::from(fields.error_event.is_some())
        + usize::from(fields.garbage)
        + usize::from(fields.stall_after_events.is_some())
        + usize::from(fields.delay_ms.is_some());
    if kinds != 1 {
        return Err(FaultError::Kinds(kinds));
    }
    if let Some(status) = fields.status {
        return of_status(&fields, status);
    }
    Ok(if let Some(events) = fields.cut_after_events {
        Fault::CutAfterEvents(events)
    } else if let Some(events) = fields.stall_after_events {
        Fault::StallAfterEvents(events)
    } else if let Some(delay) = fields.delay_ms {
        Fault::Delay(Duration::from_millis(delay))
    } else if fields.cut_before_headers {
        Fault::CutBeforeHeaders
    } else if fields.garbage {
        Fault::Garbage
    } else {
        error_event(fields.error_event)
    })
}

fn error_event(form: Option<ErrorEventForm>) -> Fault {
    let (after, kind, message) = match form {
        Some(form) => (form.after_events, form.error_type, form.message),
        None => (events_before_the_break(), None, None),
    };
    Fault::ErrorEvent {
        after,
        kind: kind.unwrap_or_else(|| "overloaded_error".to_owned()),
        message: message.unwrap_or_else(|| "Overloaded".to_owned()),
    }
}

fn of_status(fields: &FaultFields, status: u16) -> Result<Fault, FaultError> {
    let code = StatusCode::from_u16(status)
        .ok()
        .filter(|code| code.is_client_error() || code.is_server_error())
        .ok_or(FaultError::Status(status))?;
    let mut headers = Vec::new();
    for (name, value) in &fields.headers {
        let pair = name.parse::<HeaderName>().ok().zip(value.parse::<HeaderValue>().ok());
        headers.push(pair.ok_or_else(|| FaultError::Header(name.clone()))?);
    }
    if let Some(seconds) = fields.retry_after {
        headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
    }
    Ok(Fault::Status {
        status: code,
        kind: fields.error_type.clone().unwrap_or_else(|| kind_of(code).to_owned()),
        message: fields.message.clone().unwrap_or_else(|| message_of(code).to_owned()),
        headers,
    })
}
