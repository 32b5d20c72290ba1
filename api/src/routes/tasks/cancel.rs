//! `POST /api/v1/tasks/{id}/cancel`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::TaskId;

use crate::{
    app::{ACTOR, App},
    error::Result,
    ids::Id,
    views::TaskView,
};

/// Ends a task that has not ended. A run in flight can write nothing more. Doing it twice changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/cancel",
    operation_id = "cancel_task",
    tag = "tasks",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = TaskView, description = "The task, cancelled."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<TaskId>) -> Result<Json<TaskView>> {
    let task = app.store.cancel(id, ACTOR).await?;
    app.tell(&task).await;
    Ok(Json(task.into()))
}
