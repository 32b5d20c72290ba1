//! `GET /api/v1/schedules/{id}`

use std::sync::Arc;

use axum::{Json, extract::State, http::header::ETAG, response::IntoResponse};
use hive_domain::ScheduleId;

use crate::{app::App, error::Result, etag, ids::Id, views::ScheduleView};

/// Shows a schedule with its next five times and its last ten slots.
#[utoipa::path(
    get,
    path = "/api/v1/schedules/{id}",
    operation_id = "show_schedule",
    tag = "schedules",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = ScheduleView, description = "The schedule.", headers(("ETag" = String))))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<ScheduleId>) -> Result<impl IntoResponse> {
    let (version, view) = super::view(&app, id).await?;
    Ok(([(ETAG, etag::of(version))], Json(view)))
}
