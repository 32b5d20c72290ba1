//! `/_double/limits` and `/_double/outage`: what holds requests back.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;

use super::RequestId;
use crate::limits::Limits;
use crate::outage::Outage;
use crate::refusal::Refusal;
use crate::stage::Stage;

/// How much of each group's limits was used, by window of ten seconds.
pub(super) async fn used(State(stage): State<Arc<Stage>>) -> Response {
    Json(json!({ "groups": stage.meter().usage() })).into_response()
}

pub(super) async fn set(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    text: String,
) -> Response {
    match Limits::parse(&text) {
        Ok(limits) => {
            stage.set_limits(&limits);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => Refusal::invalid(format!("double: {error}")).into_response(&id.0),
    }
}

pub(super) async fn drop(State(stage): State<Arc<Stage>>) -> StatusCode {
    stage.set_limits(&Limits::default());
    StatusCode::NO_CONTENT
}

/// The phase that is on, from 1; null where none is.
pub(super) async fn outage(State(stage): State<Arc<Stage>>) -> Response {
    let begun = stage.outage();
    let phase = begun.as_ref().and_then(|begun| begun.phase(stage.clock.now()));
    Json(json!({ "began": begun.map(|begun| begun.at), "phase": phase })).into_response()
}

pub(super) async fn begin_outage(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    text: String,
) -> Response {
    match Outage::parse(&text) {
        Ok(outage) => {
            stage.set_outage(Some(outage));
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => Refusal::invalid(format!("double: {error}")).into_response(&id.0),
    }
}

pub(super) async fn end_outage(State(stage): State<Arc<Stage>>) -> StatusCode {
    stage.set_outage(None);
    StatusCode::NO_CONTENT
}
