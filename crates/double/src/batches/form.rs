//! What a batch is made of.

use std::collections::HashSet;

use axum::http::StatusCode;
use serde_json::Value;

use crate::refusal::Refusal;

/// Requests of one batch at most.
const MOST_REQUESTS: usize = 100_000;
/// Characters of a `custom_id` at most.
const LONGEST_ID: usize = 64;

/// The requests of a batch by their ids. What each of them asks for is only looked at when its turn comes, as the real
/// API does.
pub(crate) fn requests(body: Value) -> Result<Vec<(String, Value)>, Refusal> {
    let Value::Object(mut body) = body else {
        return Err(Refusal::invalid("Input should be a valid dictionary or object"));
    };
    let requests =
        body.shift_remove("requests").ok_or_else(|| Refusal::invalid("requests: Field required"))?;
    if let Some(extra) = body.keys().next() {
        return Err(Refusal::invalid(format!("{extra}: Extra inputs are not permitted")));
    }
    let Value::Array(requests) = requests else {
        return Err(Refusal::invalid("requests: Input should be a valid list"));
    };
    if requests.is_empty() {
        return Err(Refusal::invalid("requests: at least one request is required"));
    }
    if requests.len() > MOST_REQUESTS {
        let message = format!("requests: at most {MOST_REQUESTS} requests are allowed in a batch");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    let mut seen = HashSet::new();
    let mut taken = Vec::with_capacity(requests.len());
    for (index, request) in requests.into_iter().enumerate() {
        let (id, params) = one(index, request)?;
        if !seen.insert(id.clone()) {
            let message = format!("requests.{index}.custom_id: '{id}' is used by an earlier request");
            return Err(Refusal::invalid(message));
        }
        taken.push((id, params));
    }
    Ok(taken)
}

fn one(index: usize, request: Value) -> Result<(String, Value), Refusal> {
    let path = format!("requests.{index}");
    let Value::Object(mut request) = request else {
        return Err(Refusal::invalid(format!("{path}: Input should be a valid dictionary")));
    };
    let mut field = |name: &str| {
        let missing = || Refusal::invalid(format!("{path}.{name}: Field required"));
        request.shift_remove(name).ok_or_else(missing)
    };
    let (id, params) = (field("custom_id")?, field("params")?);
    if let Some(extra) = request.keys().next() {
        return Err(Refusal::invalid(format!("{path}.{extra}: Extra inputs are not permitted")));
    }
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    match id {
        Value::String(id) if (1..=LONGEST_ID).contains(&id.len()) && id.chars().all(allowed) => {
            if !params.is_object() {
                return Err(Refusal::invalid(format!("{path}.params: Input should be a valid dictionary")));
            }
            Ok((id, params))
        }
        _ => Err(Refusal::invalid(format!(
            "{path}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
        ))),
    }
}
