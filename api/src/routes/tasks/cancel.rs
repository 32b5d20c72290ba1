//! `POST /api/v1/tasks/{id}/cancel`

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

/// Ends a task that has not ended, and every task below it. Runs in flight can write nothing more, and their commands
/// are stopped. Doing it twice changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/cancel",
    operation_id = "cancel_task",
    tag = "tasks",
    params(
        ("id" = uuid::Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")
    ),
    responses((status = 200, body = TaskView, description = "The task, cancelled."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<TaskId>, Key(key): Key) -> Result<Response> {
    let mut once = match idempotency::begin(&app, key.as_ref()).await? {
        Turn::Ours(once) => once,
        Turn::Over(answer) => return Ok(answer),
    };
    let cancelled = once.cancel(id, ACTOR).await?;
    let answer = idempotency::finish(once, StatusCode::OK, None, &TaskView::from(cancelled.task)).await?;
    for changed in cancelled.changed {
        app.tell_changed(changed).await;
    }
    Ok(answer)
}
