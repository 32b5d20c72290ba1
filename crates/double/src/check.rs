//! The rules that the real API holds a request to.

mod binding;
mod blocks;
mod compacted;
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
use crate::message::STRANGE_FIELD;
use crate::refusal::Refusal;
use crate::tokens::tokens;
use crate::windows::Windows;
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
    /// Thinking blocks that were dropped; reported to who asked for the beta, also when there are none.
    pub(crate) transformations: Option<Vec<Value>>,
    /// Tokens of prompt and answer together.
    pub(crate) window: u64,
}

/// Checks a body: fields first, then the model, then what the model allows, then the conversation.
pub(crate) fn body(
    body: &Map<String, Value>,
    endpoint: Endpoint,
    sent: &Sent,
    windows: &Windows,
) -> Result<Checked, Refusal> {
    fields::check(body, endpoint, sent)?;
    tools::check(body)?;
    blocks::check(body, sent.version)?;
    markers::check(body)?;
    compacted::field(body)?;
    compacted::blocks(body)?;
    let id = string(body, "", "model")?;
    let model =
        catalogue::find(id).ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, format!("model: {id}")))?;
    model_rules::check(body, model, sent)?;
    turns::check(body, model)?;
    let mut rendered = Rendered::of(model.id, body);
    let mut transformations = sent.asks_for(model_rules::BINDING_BETA).then(Vec::new);
    let strangers = if model.bound_thinking { binding::strangers(body, &rendered) } else { Vec::new() };
    if let Some(first) = strangers.first() {
        if !binding::drops(body) {
            return Err(binding::refusal(*first));
        }
        let (kept, reports) = binding::without(body, &strangers);
        // The answer is bound to the messages as they were sent, since that is how they come back.
        rendered = Rendered { before: rendered.before, ..Rendered::of(model.id, &kept) };
        transformations = Some(reports);
    }
    let window = windows.of(model);
    let prompt = tokens(rendered.bytes());
    if prompt > window {
        let message = format!("prompt is too long: {prompt} tokens > {window} maximum");
        return Err(Refusal::invalid(message));
    }
    let stream = body.get("stream").and_then(Value::as_bool).unwrap_or_default();
    Ok(Checked { model, stream, rendered, transformations, window })
}

/// Refuses fields of an object that are not among `known`. `path` is empty or ends in a dot.
fn only(object: &Map<String, Value>, path: &str, known: &[&str]) -> Result<(), Refusal> {
    // A block comes back with all that it was sent with.
    let ours = |field: &str| field == STRANGE_FIELD && path.starts_with("messages.");
    match object.keys().find(|field| !known.contains(&field.as_str()) && !ours(field)) {
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
