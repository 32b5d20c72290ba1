//! The paths of the double.

mod body;
mod controls;
mod messages;
mod models;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
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
        .route("/faults", post(controls::set_faults).delete(controls::drop_faults));
    Router::new()
        .route("/v1/messages", post(messages::create))
        .route("/v1/messages/count_tokens", post(messages::count_tokens))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{id}", get(models::one))
        .nest("/_double", controls)
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(with_request_id))
        .with_state(stage)
}

async fn with_request_id(mut request: Request, next: Next) -> Response {
    let id = RequestId(format!("req_{}", Uuid::new_v4().simple()).into());
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert("request-id", value);
    }
    let organization = HeaderValue::from_static("double");
    response.headers_mut().insert("anthropic-organization-id", organization);
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
