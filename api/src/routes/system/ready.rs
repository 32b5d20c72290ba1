//! `GET /health/ready`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use hive_telemetry::health::Readiness;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;

/// Whether work may be sent here.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadinessView {
    /// `ready`, `degraded` (work goes on with a loss) or `not_ready`.
    status: &'static str,
    /// What is missing, one sentence each.
    reasons: Vec<String>,
}

impl From<&Readiness> for ReadinessView {
    fn from(readiness: &Readiness) -> Self {
        Self { status: readiness.as_str(), reasons: readiness.reasons().to_vec() }
    }
}

/// The HTTP status that load balancers go by.
pub const fn code(readiness: &Readiness) -> StatusCode {
    match readiness {
        Readiness::Ready | Readiness::Degraded(_) => StatusCode::OK,
        Readiness::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Says whether work may be sent here. Without Redis it may, at the price of latency.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "ready",
    tag = "system",
    responses(
        (status = 200, body = ReadinessView, description = "Ready, or degraded."),
        (status = 503, body = ReadinessView, description = "Not ready.")
    )
)]
pub async fn handle(State(app): State<Arc<App>>) -> (StatusCode, Json<ReadinessView>) {
    let readiness = app.health.readiness();
    (code(&readiness), Json(ReadinessView::from(&readiness)))
}
