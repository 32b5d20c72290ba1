//! `GET /api/v1/system/checkpoints/{id}`

use std::sync::Arc;

use axum::{Json, extract::State};

use crate::{
    app::App,
    error::Result,
    ids::{CheckpointId, Id},
    views::CheckpointView,
};

/// Shows where a checkpoint stands and what it holds.
#[utoipa::path(
    get,
    path = "/api/v1/system/checkpoints/{id}",
    operation_id = "show_checkpoint",
    tag = "system",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = CheckpointView, description = "The checkpoint as it stands."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(CheckpointId(id)): Id<CheckpointId>,
) -> Result<Json<CheckpointView>> {
    Ok(Json(app.store.checkpoint(id).await?.into()))
}
