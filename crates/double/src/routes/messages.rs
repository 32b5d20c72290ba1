//! `POST /v1/messages` and `POST /v1/messages/count_tokens`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{RequestId, body};
use crate::answer::{Answer, Message};
use crate::charge::Charge;
use crate::check::{self, Checked, Endpoint};
use crate::conversation::Conversation;
use crate::door::Cutter;
use crate::fault::Fault;
use crate::ledger::{Call, Unmatched};
use crate::part;
use crate::play::{Staging, streamed, whole};
use crate::refusal::Refusal;
use crate::stage::{Stage, now};
use crate::tokens::tokens;

pub(super) async fn create(
    State(stage): State<Arc<Stage>>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let given = match read(&stage, Endpoint::Messages, &headers, body, &id).await {
        Ok(given) => given,
        Err(refusal) => {
            Stage::count(&stage.refused);
            return refusal.into_response(&id.0);
        }
    };
    match perform(&stage, &given, &cutter, &id).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(&id.0),
    }
}

pub(super) async fn count_tokens(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match read(&stage, Endpoint::CountTokens, &headers, body, &id).await {
        Ok(given) => Json(json!({ "input_tokens": tokens(given.checked.rendered.bytes()) })).into_response(),
        Err(refusal) => {
            Stage::count(&stage.refused);
            refusal.into_response(&id.0)
        }
    }
}

/// A request that holds to the rules.
struct Given {
    bytes: Bytes,
    body: Map<String, Value>,
    checked: Checked,
}

async fn read(
    stage: &Stage,
    endpoint: Endpoint,
    headers: &HeaderMap,
    sent_body: Body,
    id: &RequestId,
) -> Result<Given, Refusal> {
    let bytes = body::read(sent_body).await?;
    stage.requests.keep(now(), &id.0, endpoint.path(), bytes.clone());
    let sent = check::headers(headers, &stage.keys)?;
    let body: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::invalid(format!("The request body is not valid JSON: {error}")))?;
    let Value::Object(body) = body else {
        return Err(Refusal::invalid("Input should be a valid dictionary or object"));
    };
    let checked = check::body(&body, endpoint, &sent)?;
    Ok(Given { bytes, body, checked })
}

async fn perform(stage: &Stage, given: &Given, cutter: &Cutter, id: &RequestId) -> Result<Response, Refusal> {
    let sha256 = hex::encode(Sha256::digest(&given.bytes));
    let (answer, turn) = decide(stage, given, id, &sha256)?;
    // A scripted fault is meant for this very call; one at random only strikes where none was written.
    let fault = answer.fault.clone().or_else(|| stage.storm().and_then(|storm| storm.draw()));
    let mut delay = stage.latency + Duration::from_millis(answer.pace.delay_ms);
    if let Some(Fault::Delay(more)) = &fault {
        delay += *more;
    }
    if fault.is_some() {
        Stage::count(&stage.broken);
    }
    if !delay.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = stage.closing.cancelled() => {
                cutter.cut();
                return Ok(Response::default());
            }
        }
    }
    if let Some(refusal) = fault.as_ref().and_then(Fault::refusal) {
        return Err(refusal);
    }
    if matches!(fault, Some(Fault::CutBeforeHeaders)) {
        cutter.cut();
        return Ok(Response::default());
    }
    let prompt = stage.cache.charge(given.checked.model, &given.checked.rendered, Instant::now());
    let message = Message::settle(&answer, &given.body, &given.checked.rendered, prompt);
    let call = Call {
        seq: 0,
        at: now(),
        request_id: id.0.to_string(),
        model: message.model.clone(),
        user_id: given.body.get("metadata").and_then(|meta| meta["user_id"].as_str()).map(str::to_owned),
        turn,
        stop_reason: Some(message.stop_reason.clone()),
        usage: message.usage,
        stream: given.checked.stream,
        cut: false,
        broken: fault.as_ref().is_some_and(Fault::breaks_the_body),
        rule: answer.rule.clone(),
        request_sha256: sha256,
    };
    let charge = Charge::new(Arc::clone(&stage.ledger), call);
    let staging = Staging {
        fault: fault.as_ref(),
        pace: answer.pace,
        broken_json: answer.broken_json,
        request_id: &id.0,
        closing: stage.closing.clone(),
    };
    Ok(if given.checked.stream {
        streamed(&message, charge, &staging)
    } else {
        whole(&message, charge, &staging)
    })
}

/// The answer of the script, or of the default part, and the turn it is given in.
fn decide(stage: &Stage, given: &Given, id: &RequestId, sha256: &str) -> Result<(Answer, usize), Refusal> {
    let conversation = Conversation::new(&given.body);
    let answer = match stage.script() {
        None => part::answer(&conversation),
        Some(script) => match script.answer(&conversation) {
            Some(answer) => answer,
            None if stage.default_part => part::answer(&conversation),
            None => {
                let summary = conversation.summary();
                tracing::warn!(request_id = %id.0, "No rule matches: {summary}");
                stage.ledger.unmatched(Unmatched {
                    at: now(),
                    request_id: id.0.to_string(),
                    user_id: conversation.user_id().map(str::to_owned),
                    summary: summary.clone(),
                    request_sha256: sha256.to_owned(),
                });
                return Err(Refusal::invalid(format!("double: no rule matches: {summary}")));
            }
        },
    };
    Ok((answer, conversation.turn()))
}
