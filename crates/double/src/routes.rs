//! The paths of the double.

mod batches;
mod body;
mod controls;
mod limits;
mod messages;
mod models;
mod page;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use uuid::Uuid;

use crate::refusal::Refusal;
use crate::stage::Stage;

/// The id that an answer carries in `request-id`.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

pub(crate) fn router(stage: Arc<Stage>) -> Router {
    let controls = Router::new()
        .route("/health", get(controls::health))
        .route("/ledger", get(controls::ledger).delete(controls::reset_ledger))
        .route("/requests", get(controls::requests).delete(controls::forget_requests))
        .route("/script", post(controls::set_script).delete(controls::drop_script))
        .route("/faults", post(controls::set_faults).delete(controls::drop_faults))
        .route("/limits", get(limits::used).post(limits::set).delete(limits::drop))
        .route("/outage", get(limits::outage).post(limits::begin_outage).delete(limits::end_outage))
        .route("/windows", post(controls::set_windows).delete(controls::drop_windows))
        .route("/batches", post(controls::set_batches))
        .route("/clock", get(controls::clock).post(controls::advance));
    Router::new()
        .route("/v1/messages", post(messages::create))
        .route("/v1/messages/count_tokens", post(messages::count_tokens))
        .route("/v1/messages/batches", post(batches::create).get(batches::list))
        .route("/v1/messages/batches/{id}", get(batches::one).delete(batches::delete))
        .route("/v1/messages/batches/{id}/cancel", post(batches::cancel))
        .route("/v1/messages/batches/{id}/results", get(batches::results))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{id}", get(models::one))
        .nest("/_double", controls)
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(&stage), with_headers))
        .with_state(stage)
}

/// Puts on every answer what every answer of the real API carries, unless the answer brought its own.
async fn with_headers(State(stage): State<Arc<Stage>>, mut request: Request, next: Next) -> Response {
    let of_the_api = request.uri().path().starts_with("/v1/");
    let id = RequestId(format!("req_{}", Uuid::new_v4().simple()).into());
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.entry("request-id").or_insert(value);
    }
    headers.entry("anthropic-organization-id").or_insert(HeaderValue::from_static("double"));
    if of_the_api && stage.recording.is_none() {
        for (name, value) in stage.meter().headers("", stage.clock.now()) {
            headers.entry(name).or_insert(value);
        }
    }
    response
}

async fn unknown_path(axum::Extension(id): axum::Extension<RequestId>) -> Response {
    Refusal::new(StatusCode::NOT_FOUND, "Not Found").into_response(&id.0)
}

async fn unknown_method(axum::Extension(id): axum::Extension<RequestId>) -> Response {
    let mut refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    refusal.kind = "invalid_request_error".to_owned();
    refusal.into_response(&id.0)
}
