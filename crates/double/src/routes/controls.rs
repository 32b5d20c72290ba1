//! `/_double/…`: what tests and operators use to direct the double.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;

use super::RequestId;
use crate::refusal::Refusal;
use crate::script::Script;
use crate::stage::Stage;
use crate::storm::Storm;
use crate::windows::Windows;

/// Seconds that a control takes at most: ten years.
const MOST_SECONDS: u64 = 315_360_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Owner {
    user_id: Option<String>,
}

pub(super) async fn health(State(stage): State<Arc<Stage>>) -> Response {
    let (calls, unmatched) = stage.ledger.counts();
    Json(json!({
        "status": "ok",
        "plays": match (&stage.recording, stage.script()) {
            (Some(_), _) => "recording",
            (None, Some(_)) => "script",
            (None, None) => "default part",
        },
        // Lines of the recording that nobody asked for yet.
        "unplayed": stage.recording.as_ref().map(crate::Recording::unplayed),
        "requests": stage.requests.total(),
        "calls": calls,
        "unmatched": unmatched,
        "refused": stage.refused.load(Ordering::Relaxed),
        "broken": stage.broken.load(Ordering::Relaxed),
    }))
    .into_response()
}

pub(super) async fn ledger(State(stage): State<Arc<Stage>>, Query(owner): Query<Owner>) -> Response {
    Json(stage.ledger.view(owner.user_id.as_deref())).into_response()
}

/// Empties the ledger and the prompt cache.
pub(super) async fn reset_ledger(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
) -> Response {
    stage.cache.clear();
    match stage.ledger.reset() {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            let message = format!("double: the ledger file cannot be emptied: {error}");
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message).into_response(&id.0)
        }
    }
}

pub(super) async fn requests(State(stage): State<Arc<Stage>>, Query(owner): Query<Owner>) -> Response {
    Json(stage.requests.list(owner.user_id.as_deref())).into_response()
}

pub(super) async fn forget_requests(State(stage): State<Arc<Stage>>) -> StatusCode {
    stage.requests.clear();
    StatusCode::NO_CONTENT
}

pub(super) async fn set_script(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    yaml: String,
) -> Response {
    match Script::parse(&yaml) {
        Ok(script) => {
            stage.set_script(Some(script));
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => Refusal::invalid(format!("double: {error}")).into_response(&id.0),
    }
}

/// Back to the default part.
pub(super) async fn drop_script(State(stage): State<Arc<Stage>>) -> StatusCode {
    stage.set_script(None);
    StatusCode::NO_CONTENT
}

pub(super) async fn set_faults(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    text: String,
) -> Response {
    match Storm::parse(&text) {
        Ok(storm) => {
            stage.set_storm(Some(storm));
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => Refusal::invalid(format!("double: {error}")).into_response(&id.0),
    }
}

pub(super) async fn drop_faults(State(stage): State<Arc<Stage>>) -> StatusCode {
    stage.set_storm(None);
    StatusCode::NO_CONTENT
}

pub(super) async fn set_windows(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    text: String,
) -> Response {
    match Windows::parse(&text) {
        Ok(windows) => {
            stage.windows.set(Arc::new(windows));
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => Refusal::invalid(format!("double: {error}")).into_response(&id.0),
    }
}

pub(super) async fn drop_windows(State(stage): State<Arc<Stage>>) -> StatusCode {
    stage.windows.set(Arc::default());
    StatusCode::NO_CONTENT
}

/// A length of time, as controls take it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seconds {
    seconds: u64,
}

fn seconds(text: &str) -> Result<Duration, Refusal> {
    let given: Seconds =
        serde_norway::from_str(text).map_err(|error| Refusal::invalid(format!("double: {error}")))?;
    if given.seconds > MOST_SECONDS {
        return Err(Refusal::invalid(format!("double: seconds: at most {MOST_SECONDS}")));
    }
    Ok(Duration::from_secs(given.seconds))
}

/// How long batches take from now on: `{seconds: 3600}`. Those that were created keep theirs.
pub(super) async fn set_batches(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    text: String,
) -> Response {
    match seconds(&text) {
        Ok(delay) => {
            stage.batch_delay.set(delay);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => refusal.into_response(&id.0),
    }
}

pub(super) async fn clock(State(stage): State<Arc<Stage>>) -> Response {
    Json(json!({ "now": stage.clock.now() })).into_response()
}

/// Puts the clock forward: `{seconds: 3600}`.
pub(super) async fn advance(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    text: String,
) -> Response {
    match seconds(&text) {
        Ok(more) => {
            stage.advance(more);
            Json(json!({ "now": stage.clock.now() })).into_response()
        }
        Err(refusal) => refusal.into_response(&id.0),
    }
}
