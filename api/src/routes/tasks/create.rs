//! `POST /api/v1/tasks`

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use fail::fail_point;

use super::submission::Submission;
use crate::{
    app::App,
    error::Result,
    idempotency::{self, Keyed, Turn},
    views::TaskView,
};

/// Accepts a task. It runs as soon as its time and its dependencies allow.
#[utoipa::path(
    post,
    path = "/api/v1/tasks",
    operation_id = "create_task",
    tag = "tasks",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")),
    request_body = Submission,
    responses((status = 201, body = TaskView, description = "Accepted and stored.", headers(("Location" = String))))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Keyed { body, key, .. }: Keyed<Submission>,
) -> Result<Response> {
    let (mut new, base) = body.check()?;
    if let Some(answer) = idempotency::admitted(&app, key.as_ref(), new.priority).await? {
        return Ok(answer);
    }
    if let Some(base) = base {
        if let Some(answer) = idempotency::earlier(&app, key.as_ref()).await? {
            return Ok(answer);
        }
        new.repository = Some(app.bases.look_up(&base.url, base.base_ref.as_deref()).await?);
    }
    let location = format!("/api/v1/tasks/{}", new.id);
    fail_point!("enqueue::before", |_| std::process::abort());
    if key.is_none() {
        let task = app.store.enqueue(&new).await?;
        fail_point!("enqueue::committed", |_| std::process::abort());
        app.announce(&task).await;
        fail_point!("enqueue::announced", |_| std::process::abort());
        return Ok((StatusCode::CREATED, [(LOCATION, location)], Json(TaskView::from(task))).into_response());
    }
    app.store.share_limits(new.parent.as_slice()).await?;
    let mut once = match idempotency::begin(&app, key.as_ref()).await? {
        Turn::Ours(once) => once,
        Turn::Over(answer) => return Ok(answer),
    };
    let task = once.enqueue(&new).await?;
    let view = TaskView::from(task.clone());
    let answer = idempotency::finish(once, StatusCode::CREATED, Some(location), &view).await?;
    fail_point!("enqueue::committed", |_| std::process::abort());
    app.announce(&task).await;
    fail_point!("enqueue::announced", |_| std::process::abort());
    Ok(answer)
}
