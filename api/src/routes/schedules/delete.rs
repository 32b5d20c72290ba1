//! `DELETE /api/v1/schedules/{id}`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use hive_domain::ScheduleId;

use crate::{app::App, error::Result, ids::Id};

/// Deletes a schedule and the record of its slots; the tasks it made stay. One of the system's own is disabled instead.
#[utoipa::path(
    delete,
    path = "/api/v1/schedules/{id}",
    operation_id = "delete_schedule",
    tag = "schedules",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 204, description = "It is gone."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<ScheduleId>) -> Result<StatusCode> {
    app.store.delete_schedule(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
