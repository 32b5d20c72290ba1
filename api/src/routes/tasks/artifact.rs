//! `GET /api/v1/tasks/{id}/artifacts/{name}`

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, RawPathParams, State},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
        request::Parts,
    },
    response::IntoResponse,
};
use hive_domain::TaskId;
use hive_store::Error as StoreError;

use crate::{
    app::App,
    error::{ApiError, Result},
    ids::Id,
};

/// The last parameter of the path, any text.
#[derive(Debug)]
pub struct Name(String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        match params.as_ref().ok().and_then(|params| params.iter().last()) {
            // Postgres stores no NUL, so nothing has such a name.
            Some((_, name)) if !name.contains('\0') => Ok(Self(name.to_owned())),
            _ => Err(missing()),
        }
    }
}

/// Shows a stored text of a task, whole.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/artifacts/{name}",
    operation_id = "show_artifact",
    tag = "tasks",
    params(("id" = uuid::Uuid, Path), ("name" = String, Path, description = "As a step or the list calls it.")),
    responses((status = 200, body = String, content_type = "text/plain", description = "The text, at most 10 MiB."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<TaskId>,
    Name(name): Name,
) -> Result<impl IntoResponse> {
    match app.store.artifact(id, &name).await {
        Ok((media_type, body)) => {
            let plain = HeaderValue::from_static("application/octet-stream");
            let media_type = HeaderValue::try_from(media_type).unwrap_or(plain);
            // An agent's command wrote it: it is shown as what it is called, and never run.
            let nosniff = HeaderValue::from_static("nosniff");
            Ok(([(CONTENT_TYPE, media_type), (X_CONTENT_TYPE_OPTIONS, nosniff)], body))
        }
        Err(StoreError::NotFound { .. }) => {
            app.store.task(id).await?;
            Err(missing())
        }
        Err(error) => Err(error.into()),
    }
}

fn missing() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no_artifact", "the task shows nothing of this name")
}
