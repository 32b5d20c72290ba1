//! The rules that the real API holds a request to.

mod blocks;
mod credentials;
mod fields;
mod markers;
mod model_rules;
mod schema;
mod tools;
mod turns;

use axum::http::StatusCode;
use serde_json::{Map, Value};

use crate::catalogue::{self, Model};
use crate::digest::Rendered;
use crate::refusal::Refusal;
use crate::tokens::tokens;
pub(crate) use credentials::{Sent, Version, headers};

/// What the body was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Messages,
    CountTokens,
}

impl Endpoint {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Messages => "/v1/messages",
            Self::CountTokens => "/v1/messages/count_tokens",
        }
    }
}

/// A body that holds to the rules, with what the checks found out about it.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) model: &'static Model,
    pub(crate) stream: bool,
    pub(crate) rendered: Rendered,
}

/// Checks a body: fields first, then the model, then what the model allows, then the conversation.
pub(crate) fn body(body: &Map<String, Value>, endpoint: Endpoint, sent: &Sent) -> Result<Checked, Refusal> {
    fields::check(body, endpoint, sent)?;
    tools::check(body)?;
    blocks::check(body, sent.version)?;
    markers::check(body)?;
    let id = string(body, "", "model")?;
    let model =
        catalogue::find(id).ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, format!("model: {id}")))?;
    model_rules::check(body, model)?;
    turns::check(body, model)?;
    let rendered = Rendered::of(model.id, body);
    if model.bound_thinking {
        turns::check_signatures(body, &rendered)?;
    }
    let prompt = tokens(rendered.bytes());
    if prompt > model.context {
        let message = format!("prompt is too long: {prompt} tokens > {} maximum", model.context);
        return Err(Refusal::invalid(message));
    }
    let stream = body.get("stream").and_then(Value::as_bool).unwrap_or_default();
    Ok(Checked { model, stream, rendered })
}

/// Refuses fields of an object that are not among `known`. `path` is empty or ends in a dot.
fn only(object: &Map<String, Value>, path: &str, known: &[&str]) -> Result<(), Refusal> {
    match object.keys().find(|field| !known.contains(&field.as_str())) {
        Some(field) => Err(Refusal::invalid(format!("{path}{field}: Extra inputs are not permitted"))),
        None => Ok(()),
    }
}

/// A field that has to be a string.
fn string<'a>(object: &'a Map<String, Value>, path: &str, field: &str) -> Result<&'a str, Refusal> {
    match object.get(field) {
        None => Err(Refusal::invalid(format!("{path}{field}: Field required"))),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Refusal::invalid(format!("{path}{field}: Input should be a valid string"))),
    }
}

/// A value that has to be an object.
fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, Refusal> {
    let message = || Refusal::invalid(format!("{path}: Input should be a valid dictionary"));
    value.as_object().ok_or_else(message)
}
