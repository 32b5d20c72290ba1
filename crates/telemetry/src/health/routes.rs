//! The pages that Prometheus, load balancers and people read.

use axum::{
    Json, Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use serde_json::{Value, json};

use super::{Health, Readiness};
use crate::metrics::MetricsHandle;

/// `GET /metrics`, `/health/live` (200 as long as the process answers at all), `/health/ready` (200, or 503 when no
/// work may be sent here) and `/health` (the same codes, with every detail).
pub fn health_routes(health: Health, metrics: MetricsHandle) -> Router {
    let ready = health.clone();
    Router::new()
        .route("/health", get(async move || (code(&health.readiness()), Json(health.detail()))))
        .route("/health/live", get(async || Json(json!({ "status": "live" }))))
        .route("/health/ready", get(async move || ready_page(&ready)))
        .route("/metrics", get(async move || metrics_page(&metrics)))
}

fn ready_page(health: &Health) -> (StatusCode, Json<Value>) {
    let readiness = health.readiness();
    let body = json!({ "status": readiness.as_str(), "reasons": readiness.reasons() });
    (code(&readiness), Json(body))
}

fn metrics_page(metrics: &MetricsHandle) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
}

const fn code(readiness: &Readiness) -> StatusCode {
    match readiness {
        Readiness::Ready | Readiness::Degraded(_) => StatusCode::OK,
        Readiness::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
