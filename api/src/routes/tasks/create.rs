//! `POST /api/v1/tasks`

mod submission;

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use submission::Submission;

use crate::{app::App, body::Body, error::Result, views::TaskView};

/// Accepts a task. It runs as soon as its time and its dependencies allow.
#[utoipa::path(
    post,
    path = "/api/v1/tasks",
    operation_id = "create_task",
    tag = "tasks",
    request_body = Submission,
    responses((status = 201, body = TaskView, description = "Accepted and stored.", headers(("Location" = String))))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Body(submission): Body<Submission>,
) -> Result<impl IntoResponse> {
    let (mut new, base) = submission.check()?;
    app.admission.admit(new.priority)?;
    if let Some(base) = base {
        new.repository = Some(app.bases.look_up(&base.url, base.base_ref.as_deref()).await?);
    }
    let task = app.store.enqueue(&new).await?;
    app.announce(&task).await;
    let location = format!("/api/v1/tasks/{}", task.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(TaskView::from(task))))
}
