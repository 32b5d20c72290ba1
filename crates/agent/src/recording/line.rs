//! A call as one line of a recording.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io,
    str::{self, Utf8Error},
};

use hive_claude::Exchange;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Line<'a> {
    request: &'a RawValue,
    status: u16,
    headers: BTreeMap<&'a str, String>,
    body: Cow<'a, str>,
}

/// The line, its end included; `None` for a call that no headers answered: there is nothing to play.
pub(super) fn of(exchange: &Exchange) -> Option<io::Result<Vec<u8>>> {
    let answer = exchange.answer.as_ref()?;
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in &answer.headers {
        let value = hive_telemetry::redact(value);
        let known = headers.entry(name).or_default();
        if !known.is_empty() {
            known.push_str(", ");
        }
        known.push_str(&value);
    }
    let line = request(&exchange.request).and_then(|request| {
        let mut body = text(&answer.body);
        // An error may repeat the key that it refuses.
        if answer.status != 200
            && let Cow::Owned(told) = hive_telemetry::redact(&body)
        {
            body = Cow::Owned(told);
        }
        let line = Line { request: &request, status: answer.status, headers, body };
        let mut line = serde_json::to_vec(&line)?;
        line.push(b'\n');
        Ok(line)
    });
    Some(line.map_err(io::Error::from))
}

/// The request's own bytes. A line break between two of its values, which a line cannot hold, becomes a space.
fn request(bytes: &[u8]) -> serde_json::Result<Box<RawValue>> {
    let raw: Box<RawValue> = serde_json::from_slice(bytes)?;
    match raw.get().contains(['\n', '\r']) {
        true => RawValue::from_string(raw.get().replace(['\n', '\r'], " ")),
        false => Ok(raw),
    }
}

/// The bytes as text. Of an answer that was cut within a character, that character is missing; what is no text
/// elsewhere stands as U+FFFD.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(error) if is_cut(&error) => String::from_utf8_lossy(&bytes[..error.valid_up_to()]),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

fn is_cut(error: &Utf8Error) -> bool {
    error.error_len().is_none()
}

#[cfg(test)]
mod tests {
    use hive_claude::Answered;

    use super::*;

    fn exchange(request: &str, body: &[u8]) -> Exchange {
        let pairs =
            [("request-id", "req_1"), ("via", "a"), ("via", "b"), ("x-echo", "sk-ant-api03-abcdefghij")];
        let headers = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let answer = Answered { status: 200, headers, body: body.to_vec() };
        Exchange { request: request.as_bytes().to_vec(), answer: Some(answer) }
    }

    fn line(request: &str, body: &[u8]) -> String {
        String::from_utf8(of(&exchange(request, body)).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn the_request_stands_byte_for_byte_and_no_header_holds_a_key() {
        let request = r#"{"b":1.0e3, "a":"\u0041"}"#;
        let line = line(request, "é\n".as_bytes());
        assert!(line.starts_with(&format!("{{\"request\":{request},\"status\":200,")), "{line}");
        assert!(line.ends_with("\"body\":\"é\\n\"}\n"), "{line}");
        assert!(line.contains("\"via\":\"a, b\"") && line.contains("req_1"), "{line}");
        assert!(!line.contains("abcdefghij"), "{line}");
    }

    #[test]
    fn an_error_that_repeats_the_key_is_kept_without_it() {
        let mut refused = exchange("{}", b"invalid x-api-key: sk-ant-api03-abcdefghij");
        if let Some(answer) = &mut refused.answer {
            answer.status = 401;
        }
        let line = String::from_utf8(of(&refused).unwrap().unwrap()).unwrap();
        assert!(line.contains("invalid x-api-key") && !line.contains("abcdefghij"), "{line}");
    }

    #[test]
    fn a_line_is_one_line_and_what_is_half_is_left_out() {
        assert_eq!(line("{\n\"a\":1}", b"").matches('\n').count(), 1);
        assert!(line("{}", &"né".as_bytes()[..2]).ends_with("\"body\":\"n\"}\n"));
        assert!(line("{}", b"a\xffb").ends_with("\"body\":\"a\u{fffd}b\"}\n"));
    }

    #[test]
    fn what_was_not_answered_is_no_line() {
        assert!(of(&Exchange { request: b"{}".to_vec(), answer: None }).is_none());
    }
}
