//! `POST /api/v1/queue/resume`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::pause::Scope;
use crate::{
    app::App,
    body::Body,
    error::{ApiError, Result},
};

/// Which pause ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// What it covers.
    scope: Scope,
    /// The lane's name, the agent's or the session's id; empty for the fleet.
    #[serde(default)]
    name: String,
}

/// Ends a pause. What it held back gets its tickets within a second.
#[utoipa::path(
    post,
    path = "/api/v1/queue/resume",
    operation_id = "resume_queue",
    tag = "queue",
    request_body = Resume,
    responses((status = 204, description = "It has ended."))
)]
pub async fn handle(State(app): State<Arc<App>>, Body(resume): Body<Resume>) -> Result<StatusCode> {
    let scope = resume.scope.named(&resume.name)?;
    if app.store.resume(&scope).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::new(StatusCode::NOT_FOUND, "not_paused", format!("no pause covers this {}", scope.kind)))
}
