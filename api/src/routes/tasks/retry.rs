//! `POST /api/v1/tasks/{id}/retry`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use hive_domain::TaskId;

use super::change::change;
use crate::{
    app::{ACTOR, App},
    error::Result,
    idempotency::Key,
    ids::Id,
    views::TaskView,
};

/// Makes a new task with the same input from one that failed, died or was cancelled. `redriven_from` names the old one,
/// which stays as it is. A deadline that has passed is left out. A task is tried again once: 409 `task_already_redriven`
/// names in `redriven_to` what was made of it.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/retry",
    operation_id = "retry_task",
    tag = "tasks",
    params(
        ("id" = uuid::Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")
    ),
    responses((status = 201, body = TaskView, description = "The new task.", headers(("Location" = String))))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<TaskId>, Key(key): Key) -> Result<Response> {
    change(&app, key, StatusCode::CREATED, async |once| once.redrive(id, ACTOR).await).await
}
