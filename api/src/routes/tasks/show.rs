//! `GET /api/v1/tasks/{id}`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::TaskId;

use crate::{app::App, error::Result, ids::Id, views::TaskView};

/// Shows a task.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}",
    operation_id = "show_task",
    tag = "tasks",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = TaskView, description = "The task as it stands."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<TaskId>) -> Result<Json<TaskView>> {
    Ok(Json(app.store.task(id).await?.into()))
}
