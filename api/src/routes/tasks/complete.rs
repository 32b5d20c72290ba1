//! `POST /api/v1/tasks/{id}/complete`

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
    change(&app, key, StatusCode::ACCEPTED, async |once| once.request_completion(id, ACTOR).await).await
}
