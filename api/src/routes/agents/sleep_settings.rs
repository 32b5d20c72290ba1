//! `GET /api/v1/agents/{id}/sleep-settings`

use std::sync::Arc;

use axum::{Json, extract::State, http::header::ETAG, response::IntoResponse};
use hive_domain::AgentId;

use crate::{app::App, error::Result, etag, ids::Id, views::SleepSettingsView};

/// Shows when an agent sleeps by itself, and how long.
#[utoipa::path(
    get,
    path = "/api/v1/agents/{id}/sleep-settings",
    operation_id = "show_sleep_settings",
    tag = "agents",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = SleepSettingsView, description = "The settings.", headers(("ETag" = String))))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<AgentId>) -> Result<impl IntoResponse> {
    let listed = app.store.sleep_settings(id).await?;
    Ok(([(ETAG, etag::of(listed.version))], Json(SleepSettingsView::from(listed))))
}
