//! `GET /api/v1/queue/pauses`

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, views::PauseView};

/// The pauses that hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct PauseList {
    /// Oldest first.
    items: Vec<PauseView>,
}

/// Lists the pauses that hold now.
#[utoipa::path(
    get,
    path = "/api/v1/queue/pauses",
    operation_id = "list_pauses",
    tag = "queue",
    responses((status = 200, body = PauseList, description = "All of them."))
)]
pub async fn handle(State(app): State<Arc<App>>) -> Result<Json<PauseList>> {
    let pauses = app.store.pauses().await?;
    Ok(Json(PauseList { items: pauses.into_iter().map(Into::into).collect() }))
}
