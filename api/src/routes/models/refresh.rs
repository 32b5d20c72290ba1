//! `POST /api/v1/models/refresh`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result};

/// A wish for a newer list.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefreshRequest {
    /// When it was made: it is met when `refresh.pending` of the list of models is false.
    requested_at: DateTime<Utc>,
}

/// Asks for a newer list of the service's models. A worker fetches it within seconds, since workers have the key.
#[utoipa::path(
    post,
    path = "/api/v1/models/refresh",
    operation_id = "refresh_models",
    tag = "models",
    responses((status = 202, body = RefreshRequest, description = "Noted."))
)]
pub async fn handle(State(app): State<Arc<App>>) -> Result<(StatusCode, Json<RefreshRequest>)> {
    let requested_at = app.store.request_model_refresh().await?;
    Ok((StatusCode::ACCEPTED, Json(RefreshRequest { requested_at })))
}
