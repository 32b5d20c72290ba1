//! A fault as it is written.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::{Fault, FaultError};
use crate::refusal::kind_of;

/// Time between two pings, unless the fault says otherwise.
const PING: Duration = Duration::from_millis(500);

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
    error_code: Option<String>,
    message: Option<String>,
    /// Seconds.
    retry_after: Option<u64>,
    should_retry: Option<bool>,
    headers: BTreeMap<String, String>,
    cut_after_events: Option<usize>,
    cut_in_event: Option<usize>,
    cut_before_headers: bool,
    error_event: Option<ErrorEventForm>,
    garbage: bool,
    garbled_json_after: Option<usize>,
    invalid_utf8_after: Option<usize>,
    pings_ms: Option<u64>,
    stall_after_events: Option<usize>,
    delay_ms: Option<u64>,
    first_byte_ms: Option<u64>,
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
        "cut_in_event" => Ok(Fault::CutInEvent(events_before_the_break())),
        "garbled_json" => Ok(Fault::GarbledJson(events_before_the_break())),
        "invalid_utf8" => Ok(Fault::InvalidUtf8(events_before_the_break())),
        "pings" => Ok(Fault::Pings(PING)),
        "spend_limit" => {
            let fields = FaultFields {
                error_code: Some("enforced_spend_limit_reached".to_owned()),
                message: Some("You have reached your specified API usage limits.".to_owned()),
                ..FaultFields::default()
            };
            of_status(&fields, 429)
        }
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
    let millis = Duration::from_millis;
    let mut kinds = Vec::new();
    if let Some(status) = fields.status {
        kinds.push(of_status(&fields, status)?);
    } else {
        without_status(&fields)?;
    }
    kinds.extend(fields.cut_after_events.map(Fault::CutAfterEvents));
    kinds.extend(fields.cut_in_event.map(Fault::CutInEvent));
    kinds.extend(fields.cut_before_headers.then_some(Fault::CutBeforeHeaders));
    kinds.extend(fields.error_event.map(|event| error_event(Some(event))));
    kinds.extend(fields.garbage.then_some(Fault::Garbage));
    kinds.extend(fields.garbled_json_after.map(Fault::GarbledJson));
    kinds.extend(fields.invalid_utf8_after.map(Fault::InvalidUtf8));
    kinds.extend(fields.pings_ms.map(|every| Fault::Pings(millis(every.max(1)))));
    kinds.extend(fields.stall_after_events.map(Fault::StallAfterEvents));
    kinds.extend(fields.delay_ms.map(|delay| Fault::Delay(millis(delay))));
    kinds.extend(fields.first_byte_ms.map(|delay| Fault::FirstByte(millis(delay))));
    let count = kinds.len();
    kinds.pop().filter(|_| count == 1).ok_or(FaultError::Kinds(count))
}

fn without_status(fields: &FaultFields) -> Result<(), FaultError> {
    let given = [
        ("error_type", fields.error_type.is_some()),
        ("error_code", fields.error_code.is_some()),
        ("message", fields.message.is_some()),
        ("retry_after", fields.retry_after.is_some()),
        ("should_retry", fields.should_retry.is_some()),
        ("headers", !fields.headers.is_empty()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((field, _)) => Err(FaultError::NoStatus(field)),
        None => Ok(()),
    }
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
    if let Some(should) = fields.should_retry {
        let value = if should { "true" } else { "false" };
        headers.push((HeaderName::from_static("x-should-retry"), HeaderValue::from_static(value)));
    }
    if let Some(seconds) = fields.retry_after {
        headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
    }
    Ok(Fault::Status {
        status: code,
        kind: fields.error_type.clone().unwrap_or_else(|| kind_of(code).to_owned()),
        message: fields.message.clone(),
        code: fields.error_code.clone(),
        headers,
    })
}
