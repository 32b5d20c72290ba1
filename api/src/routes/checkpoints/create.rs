//! `POST /api/v1/system/checkpoint`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    app::{ACTOR, App},
    error::Result,
    idempotency::{self, Key, Turn},
    views::CheckpointView,
};

/// Makes a checkpoint of the whole system: every row of one moment, every branch of the repositories, and a manifest
/// with the digest of each file. A worker that has a directory for checkpoints does it; Location shows where it stands.
/// One at a time: while one is made another is refused with 409, which names that one.
#[utoipa::path(
    post,
    path = "/api/v1/system/checkpoint",
    operation_id = "create_checkpoint",
    tag = "system",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")),
    responses(
        (status = 202, body = CheckpointView, description = "It is asked for.", headers(("Location" = String)))
    )
)]
pub async fn handle(State(app): State<Arc<App>>, Key(key): Key) -> Result<Response> {
    let mut once = match idempotency::begin(&app, key.as_ref()).await? {
        Turn::Ours(once) => once,
        Turn::Over(answer) => return Ok(answer),
    };
    let checkpoint = once.request_checkpoint(ACTOR).await?;
    let location = format!("/api/v1/system/checkpoints/{}", checkpoint.id);
    idempotency::finish(once, StatusCode::ACCEPTED, Some(location), &CheckpointView::from(checkpoint)).await
}
