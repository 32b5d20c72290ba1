//! `POST /v1/messages` and `POST /v1/messages/count_tokens`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{RequestId, body};
use crate::answering;
use crate::charge::Charge;
use crate::check::{self, Checked, Endpoint, Sent};
use crate::diagnosis::Print;
use crate::door::Cutter;
use crate::fault::Fault;
use crate::ledger::Call;
use crate::message::Message;
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
    if let Some(recording) = &stage.recording {
        let sent = received(&stage, Endpoint::Messages, &headers, body, &id).await;
        let answer = sent.and_then(|sent| recording.answer(&Value::Object(sent.body)));
        return answer.unwrap_or_else(|refusal| refusal.into_response(&id.0));
    }
    let given = match read(&stage, Endpoint::Messages, &headers, body, &id).await {
        Ok(given) => given,
        Err(refusal) => {
            Stage::count(&stage.refused);
            return refusal.into_response(&id.0);
        }
    };
    let performed = perform(&stage, &given, &cutter, &id).await;
    let response = performed.unwrap_or_else(|refusal| refusal.into_response(&id.0));
    limited(&stage, &given, response)
}

pub(super) async fn count_tokens(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match read(&stage, Endpoint::CountTokens, &headers, body, &id).await {
        Ok(given) => {
            let count = Json(json!({ "input_tokens": tokens(given.checked.rendered.bytes()) }));
            limited(&stage, &given, count.into_response())
        }
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

/// Puts the state of the limits on an answer.
fn limited(stage: &Stage, given: &Given, mut response: Response) -> Response {
    let headers = stage.meter().headers(given.checked.model.id, stage.clock.now());
    response.headers_mut().extend(headers);
    response
}

/// A request that is an object and came with a good key.
struct Received {
    bytes: Bytes,
    body: Map<String, Value>,
    sent: Sent,
}

async fn received(
    stage: &Stage,
    endpoint: Endpoint,
    headers: &HeaderMap,
    sent_body: Body,
    id: &RequestId,
) -> Result<Received, Refusal> {
    let bytes = body::read(sent_body, body::MESSAGE_BYTES).await?;
    stage.requests.keep(now(), &id.0, endpoint.path(), bytes.clone());
    let sent = check::headers(headers, &stage.keys)?;
    let body: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::invalid(format!("The request body is not valid JSON: {error}")))?;
    let Value::Object(body) = body else {
        return Err(Refusal::invalid("Input should be a valid dictionary or object"));
    };
    Ok(Received { bytes, body, sent })
}

async fn read(
    stage: &Stage,
    endpoint: Endpoint,
    headers: &HeaderMap,
    sent_body: Body,
    id: &RequestId,
) -> Result<Given, Refusal> {
    let Received { bytes, body, sent } = received(stage, endpoint, headers, sent_body, id).await?;
    let checked = check::body(&body, endpoint, &sent, &stage.windows.get())?;
    Ok(Given { bytes, body, checked })
}

async fn perform(stage: &Stage, given: &Given, cutter: &Cutter, id: &RequestId) -> Result<Response, Refusal> {
    let sha256 = hex::encode(Sha256::digest(&given.bytes));
    let model = given.checked.model;
    let began = stage.clock.now();
    let outage = stage.outage().and_then(|outage| outage.fault(model.id, began));
    // Who meets an outage or a limit uses up no rule of the script.
    if let Some(refusal) = outage.as_ref().and_then(|fault| fault.refusal(model.id)) {
        Stage::count(&stage.broken);
        return Err(refusal);
    }
    let meter = stage.meter();
    let prompt = stage.cache.weigh(model, &given.checked.rendered, began).usage;
    meter.admit(model.id, prompt.input_tokens + prompt.cache_creation_input_tokens, began)?;
    let (answer, turn) = answering::decide(stage, &given.body, &id.0, &sha256)?;
    // A scripted fault is meant for this very call; one at random only strikes where none was written.
    let scripted = outage.or_else(|| answer.fault.clone());
    let fault = scripted.or_else(|| stage.storm().and_then(|storm| storm.draw()));
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
    if let Some(refusal) = fault.as_ref().and_then(|fault| fault.refusal(model.id)) {
        return Err(refusal);
    }
    if matches!(fault, Some(Fault::CutBeforeHeaders)) {
        cutter.cut();
        return Ok(Response::default());
    }
    let now_here = stage.clock.now();
    let weighed = stage.cache.weigh(model, &given.checked.rendered, now_here);
    stage.cache.keep(&weighed, now_here);
    let mut message = Message::settle(&answer, &given.body, &given.checked, weighed.usage);
    let print = Print::of(&given.body, &given.checked.rendered, &weighed.usage);
    message.diagnostics = stage.diagnoses.of(&given.body, &given.checked.rendered, &print, &weighed.usage);
    stage.diagnoses.remember(&message.id, print);
    meter.output(model.id, message.usage.output_tokens, now_here);
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
        batch: None,
        price_percent: Call::WHOLE_PERCENT,
        rule: answer.rule.clone(),
        request_sha256: sha256,
    };
    let charge = Charge::new(Arc::clone(&stage.ledger), call);
    let staging = Staging {
        fault: fault.as_ref(),
        pace: answer.pace,
        request_id: &id.0,
        closing: stage.closing.clone(),
    };
    Ok(if given.checked.stream {
        streamed(&message, charge, &staging)
    } else {
        whole(&message, charge, &staging)
    })
}
