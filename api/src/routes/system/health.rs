//! `GET /api/v1/system/health`

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use hive_queue::Lane;
use serde_json::{Map, Value, json};

use super::ready;
use crate::app::App;

/// Health is asked when something is slow, so nothing is waited for longer.
const DEPTH_WITHIN: Duration = Duration::from_secs(1);

/// Shows how this process and what it depends on are doing, and what answers the agents.
#[utoipa::path(
    get,
    path = "/api/v1/system/health",
    operation_id = "system_health",
    tag = "system",
    responses(
        (status = 200, body = Object, description = "`status` is ready or degraded; components, lanes and provider."),
        (status = 503, body = Object, description = "`status` is not_ready; the same shape.")
    )
)]
pub async fn handle(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let mut detail = app.health.detail();
    detail["version"] = env!("CARGO_PKG_VERSION").into();
    detail["provider"] = app.provider.as_str().into();
    detail["lanes"] = lanes(&app).await;
    (ready::code(&app.health.readiness()), Json(detail))
}

/// Tickets waiting in each lane; null when Redis does not say.
async fn lanes(app: &App) -> Value {
    match tokio::time::timeout(DEPTH_WITHIN, app.queue.depth()).await {
        Ok(Ok(depth)) => {
            let waiting =
                Lane::ALL.iter().zip(depth).map(|(lane, depth)| (lane.as_str().to_owned(), json!(depth)));
            waiting.collect::<Map<_, _>>().into()
        }
        Ok(Err(_)) | Err(_) => Value::Null,
    }
}
