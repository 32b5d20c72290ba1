//! `GET /health/live`

use axum::Json;
use serde_json::{Value, json};

/// Answers as long as the process does at all.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "live",
    tag = "system",
    responses((status = 200, body = Object, description = "The process answers."))
)]
pub async fn handle() -> Json<Value> {
    Json(json!({ "status": "live" }))
}
