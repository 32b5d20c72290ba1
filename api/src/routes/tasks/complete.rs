//! `POST /api/v1/tasks/{id}/complete`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use hive_domain::TaskId;

use crate::{
    app::{ACTOR, App},
    error::Result,
    ids::Id,
    views::TaskView,
};

/// Asks for completion. A worker runs the acceptance commands on the task's tree and nothing else, and they decide.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/complete",
    operation_id = "complete_task",
    tag = "tasks",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 202, body = TaskView, description = "The checks will run; watch the task."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<TaskId>) -> Result<(StatusCode, Json<TaskView>)> {
    let task = app.store.request_completion(id, ACTOR).await?;
    app.announce(&task).await;
    Ok((StatusCode::ACCEPTED, Json(task.into())))
}
