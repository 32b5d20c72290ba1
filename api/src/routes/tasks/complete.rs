//! `POST /api/v1/tasks/{id}/complete`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use hive_domain::TaskId;

use crate::{
    app::{ACTOR, App},
    error::Result,
    idempotency::{self, Key, Turn},
    ids::Id,
    views::TaskView,
};

/// Asks for completion. A worker runs the acceptance commands on the task's tree and nothing else, and they decide.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/complete",
    operation_id = "complete_task",
    tag = "tasks",
    params(
        ("id" = uuid::Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")
    ),
    responses((status = 202, body = TaskView, description = "The checks will run; watch the task."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<TaskId>, Key(key): Key) -> Result<Response> {
    let mut once = match idempotency::begin(&app, key.as_ref()).await? {
        Turn::Ours(once) => once,
        Turn::Over(answer) => return Ok(answer),
    };
    let task = once.request_completion(id, ACTOR).await?;
    let view = TaskView::from(task.clone());
    let answer = idempotency::finish(once, StatusCode::ACCEPTED, None, &view).await?;
    app.announce(&task).await;
    Ok(answer)
}
