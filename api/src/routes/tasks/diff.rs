//! `GET /api/v1/tasks/{id}/diff`

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
};
use hive_domain::TaskId;
use hive_store::Error as StoreError;

use crate::{
    app::App,
    error::{ApiError, Result},
    ids::Id,
};

/// The name under which the worker stores the diff.
const ARTIFACT: &str = "diff";

/// Shows what the task's branch changes.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/diff",
    operation_id = "show_diff",
    tag = "tasks",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = String, content_type = "text/x-diff", description = "A unified diff."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<TaskId>) -> Result<impl IntoResponse> {
    match app.store.artifact(id, ARTIFACT).await {
        Ok((_, body)) => Ok(([(CONTENT_TYPE, "text/x-diff; charset=utf-8")], body)),
        Err(StoreError::NotFound { .. }) => {
            app.store.task(id).await?;
            Err(ApiError::new(StatusCode::NOT_FOUND, "no_diff", "the task has no diff so far"))
        }
        Err(error) => Err(error.into()),
    }
}
