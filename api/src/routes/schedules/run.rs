//! `POST /api/v1/schedules/{id}/run`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use hive_domain::ScheduleId;
use hive_store::Makes;

use crate::{
    app::App,
    error::{ApiError, Result},
    ids::Id,
    views::SlotView,
};

/// Fires a schedule now, beside its slots: whether it is enabled, and whatever its overlap policy says.
#[utoipa::path(
    post,
    path = "/api/v1/schedules/{id}/run",
    operation_id = "run_schedule",
    tag = "schedules",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 201, body = SlotView, description = "Fired; it names what was made."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<ScheduleId>) -> Result<impl IntoResponse> {
    let below = |error: ApiError| error.within("/task");
    let commit = match app.store.schedule(id).await?.plan.makes {
        Makes::Task(task) => match task.repository {
            Some(base) => {
                Some(app.bases.look_up(&base.url, Some(&base.base_ref)).await.map_err(below)?.base_commit)
            }
            None => None,
        },
        Makes::Duty(..) | Makes::Sleep(_) => None,
    };
    let fired = app.store.fire_now(id, commit.as_deref()).await;
    let (slot, task) = fired.map_err(|error| below(error.into()))?;
    if let Some(task) = task {
        app.announce(&task).await;
    }
    Ok((StatusCode::CREATED, Json(SlotView::from(slot))))
}
