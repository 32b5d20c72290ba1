//! Recorded exchanges, played back byte for byte.

mod difference;
mod own;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// Headers that belong to the connection an answer was recorded on, and not to the answer.
const OF_THE_CONNECTION: [&str; 7] = [
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "keep-alive",
    "transfer-encoding",
    "set-cookie",
];

/// A recording that cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("the recording {path} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A line is not an exchange.
    #[error("line {line} is not a recorded exchange: {source}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The last line is half: who wrote it was killed.
    #[error("line {line}, the last one, is half; `hive task recording` leaves it out")]
    Torn {
        /// The line, from 1.
        line: usize,
    },
    /// A status or a header of an exchange cannot be sent.
    #[error("line {line}: {what} cannot be sent")]
    Unsendable {
        /// The line, from 1.
        line: usize,
        /// The status, or the name of the header.
        what: String,
    },
    /// Nothing was recorded.
    #[error("the recording holds no exchange")]
    Empty,
}

/// Exchanges with the real API, one JSON object a line:
///
/// ```json
/// {"request":{"model":"…","max_tokens":1,"messages":[…]},"status":200,"headers":{"request-id":"req_…"},"body":"…"}
/// ```
///
/// - `request`: the body of a `POST /v1/messages`. The order of its fields does not matter, nor does what belongs to one
///   run of a task (`recording/own.rs` lists it); everything else does.
/// - `status`: of the answer, 100 to 599.
/// - `headers`: of the answer, names in lower case. Those of the connection (length, encoding, date) are not sent.
/// - `body`: the bytes of the answer as text, events or JSON alike, exactly as they came.
///
/// No other fields. Credentials are no part of an exchange. A request that stands in several lines is answered by them
/// in turn, and by the last of them from then on.
#[derive(Debug)]
pub struct Recording {
    exchanges: Vec<Exchange>,
    by_request: HashMap<String, Vec<usize>>,
    // Equal requests take the next answer each.
    played: Mutex<HashMap<String, usize>>,
}

#[derive(Debug)]
struct Exchange {
    line: usize,
    /// Without what belongs to one run.
    request: Value,
    canonical: String,
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExchangeForm {
    request: Map<String, Value>,
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Recording {
    /// Reads a recording from a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or a line of it is no exchange.
    pub fn load(path: &Path) -> Result<Self, RecordingError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecordingError::File { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Reads a recording. Empty lines are passed over.
    ///
    /// # Errors
    ///
    /// A line is no exchange, or there is none.
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let count = text.lines().count();
        let is_half = |line: usize| line == count && !text.ends_with('\n');
        let exchanges: Vec<_> = lines
            .map(|(index, line)| match Exchange::parse(index + 1, line) {
                Err(RecordingError::Line { line, source }) if source.is_eof() && is_half(line) => {
                    Err(RecordingError::Torn { line })
                }
                outcome => outcome,
            })
            .collect::<Result<_, _>>()?;
        if exchanges.is_empty() {
            return Err(RecordingError::Empty);
        }
        let mut by_request: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, exchange) in exchanges.iter().enumerate() {
            by_request.entry(exchange.canonical.clone()).or_default().push(place);
        }
        Ok(Self { exchanges, by_request, played: Mutex::default() })
    }

    /// The lines that no request was answered by yet. Empty after a replay that did all that was recorded.
    #[must_use]
    pub fn unplayed(&self) -> Vec<usize> {
        let played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.by_request.iter().flat_map(|(request, places)| {
            let turns = played.get(request).copied().unwrap_or(0).min(places.len());
            places[turns..].iter().map(|place| self.exchanges[*place].line)
        });
        let mut left: Vec<_> = left.collect();
        left.sort_unstable();
        left
    }

    /// The recorded answer to a request, or how it differs from the nearest one that was recorded.
    pub(crate) fn answer(&self, sent: &Value) -> Result<Response, Refusal> {
        let sent = own::left_out(sent);
        let canonical = difference::canonical(&sent);
        let Some(places) = self.by_request.get(&canonical) else {
            return Err(self.unknown(&sent, &canonical));
        };
        let turn = {
            let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = played.entry(canonical).or_default();
            *turn += 1;
            *turn - 1
        };
        let exchange = &self.exchanges[places[turn.min(places.len() - 1)]];
        let mut response = Response::new(Body::from(exchange.body.clone()));
        *response.status_mut() = exchange.status;
        for (name, value) in &exchange.headers {
            response.headers_mut().append(name, value.clone());
        }
        Ok(response)
    }

    fn unknown(&self, sent: &Value, canonical: &str) -> Refusal {
        let common = |exchange: &&Exchange| {
            let pairs = exchange.canonical.bytes().zip(canonical.bytes());
            pairs.take_while(|(recorded, sent)| recorded == sent).count()
        };
        let mut message = "double: no recorded request equals this one".to_owned();
        if let Some(nearest) = self.exchanges.iter().max_by_key(common)
            && let Some(first) = difference::first(&nearest.request, sent)
        {
            message.push_str(&format!("; the nearest, in line {}, differs first at {first}", nearest.line));
        }
        Refusal::invalid(message)
    }
}

impl Exchange {
    fn parse(line: usize, text: &str) -> Result<Self, RecordingError> {
        let form: ExchangeForm =
            serde_json::from_str(text).map_err(|source| RecordingError::Line { line, source })?;
        let unsendable = |what: &str| RecordingError::Unsendable { line, what: what.to_owned() };
        let status = StatusCode::from_u16(form.status)
            .ok()
            .filter(|status| status.as_u16() < 600)
            .ok_or_else(|| unsendable(&form.status.to_string()))?;
        let mut headers = Vec::new();
        for (name, value) in &form.headers {
            if OF_THE_CONNECTION.contains(&name.to_ascii_lowercase().as_str()) {
                continue;
            }
            let pair = name.parse::<HeaderName>().ok().zip(value.parse::<HeaderValue>().ok());
            headers.push(pair.ok_or_else(|| unsendable(name))?);
        }
        let request = own::left_out(&Value::Object(form.request));
        let canonical = difference::canonical(&request);
        Ok(Self { line, request, canonical, status, headers, body: form.body })
    }
}
