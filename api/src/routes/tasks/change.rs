//! What the changes of one task share: made once for a key, answered with the task, announced after the commit.

use axum::{http::StatusCode, response::Response};
use hive_domain::task::Task;
use hive_store::{Once, RequestKey};

use crate::{
    app::App,
    error::Result,
    idempotency::{self, Turn},
    views::TaskView,
};

/// Makes the change unless the key says that it was made. A task that was created is named by `Location`.
///
/// # Errors
/// What the change itself refuses, and 422 `idempotency_key_reused`.
pub(super) async fn change(
    app: &App,
    key: Option<RequestKey>,
    status: StatusCode,
    make: impl AsyncFnOnce(&mut Once) -> hive_store::Result<Task>,
) -> Result<Response> {
    let mut once = match idempotency::begin(app, key.as_ref()).await? {
        Turn::Ours(once) => once,
        Turn::Over(answer) => return Ok(answer),
    };
    let task = make(&mut once).await?;
    let location = (status == StatusCode::CREATED).then(|| format!("/api/v1/tasks/{}", task.id));
    let answer = idempotency::finish(once, status, location, &TaskView::from(task.clone())).await?;
    app.announce(&task).await;
    Ok(answer)
}
