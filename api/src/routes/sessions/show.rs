//! `GET /api/v1/sessions/{id}`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::SessionId;

use crate::{app::App, error::Result, ids::Id, views::SessionView};

/// Shows a session and how many of its tasks are in each state.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}",
    operation_id = "show_session",
    tag = "sessions",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = SessionView, description = "The session as it stands."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<SessionId>) -> Result<Json<SessionView>> {
    Ok(Json(app.store.session(id).await?.into()))
}
