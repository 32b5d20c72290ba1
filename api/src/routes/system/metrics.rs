//! `GET /metrics`

use std::sync::Arc;

use axum::{extract::State, http::header::CONTENT_TYPE, response::IntoResponse};

use crate::app::App;

/// Where Prometheus looks by default.
pub const PATH: &str = "/metrics";

/// Shows what was counted, in Prometheus' text format. `HIVE_METRICS_OPEN` lets it answer without the token.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "system",
    responses((status = 200, body = String, content_type = "text/plain", description = "All metrics of this process."))
)]
pub async fn handle(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render())
}
