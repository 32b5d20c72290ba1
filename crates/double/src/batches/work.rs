//! One request of a batch, answered.

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::answering;
use crate::charge::Charge;
use crate::check::{self, Endpoint, Sent};
use crate::fault::Fault;
use crate::ledger::{Call, Usage};
use crate::message::{Message, block_bytes};
use crate::refusal::Refusal;
use crate::stage::{Stage, now};

/// The result of a request. A fault of its rule with a status is its error; any other that would break the body is an
/// error of the server's own.
pub(super) fn done(stage: &Stage, batch: &str, params: &Value, sent: &Sent) -> Value {
    let request_id = format!("req_{}", Uuid::new_v4().simple());
    match answered(stage, batch, params, sent, &request_id) {
        Ok(message) => json!({ "type": "succeeded", "message": message.view() }),
        Err(refusal) => json!({ "type": "errored", "error": refusal.view(&request_id) }),
    }
}

fn answered(
    stage: &Stage,
    batch: &str,
    params: &Value,
    sent: &Sent,
    request_id: &str,
) -> Result<Message, Refusal> {
    let Value::Object(body) = params else {
        return Err(Refusal::invalid("params: Input should be a valid dictionary"));
    };
    if body.get("stream") == Some(&Value::Bool(true)) {
        return Err(Refusal::invalid("stream: not allowed in a batch"));
    }
    if body.get("max_tokens").and_then(Value::as_u64) == Some(0) {
        return Err(Refusal::invalid("max_tokens: 0 is not allowed in a batch"));
    }
    let checked = check::body(body, Endpoint::Messages, sent, &stage.windows.get())?;
    let sha256 = hex::encode(Sha256::digest(params.to_string().as_bytes()));
    let (answer, turn) = answering::decide(stage, body, request_id, &sha256)?;
    if let Some(fault) = &answer.fault {
        if let Some(refusal) = fault.refusal(checked.model.id) {
            return Err(refusal);
        }
        if fault.breaks_the_body() || matches!(fault, Fault::CutBeforeHeaders) {
            let status = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
            return Err(Refusal::new(status, "Internal server error"));
        }
    }
    let at = stage.clock.now();
    let weighed = stage.cache.weigh(checked.model, &checked.rendered, at);
    stage.cache.keep(&weighed, at);
    let mut message = Message::settle(&answer, body, &checked, weighed.usage);
    message.service_tier = "batch";
    let call = Call {
        seq: 0,
        at: now(),
        request_id: request_id.to_owned(),
        model: message.model.clone(),
        user_id: body.get("metadata").and_then(|meta| meta["user_id"].as_str()).map(str::to_owned),
        turn,
        stop_reason: Some(message.stop_reason.clone()),
        usage: Usage { ..message.usage },
        stream: false,
        cut: false,
        broken: false,
        batch: Some(batch.to_owned()),
        price_percent: Call::BATCH_PERCENT,
        rule: answer.rule,
        request_sha256: sha256,
    };
    let mut charge = Charge::new(Arc::clone(&stage.ledger), call);
    charge.content(message.content.iter().map(block_bytes).sum());
    charge.finish();
    Ok(message)
}
