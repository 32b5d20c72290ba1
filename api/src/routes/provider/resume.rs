//! `POST /api/v1/provider/resume`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{ACTOR, App},
    body::Body,
    error::{ApiError, Result},
};

/// The channel on which workers hear of it; see `hive_agent::PROVIDER_UPDATES`.
const UPDATES: &str = "provider_updates";

/// Which key is in use again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProviderResume)]
pub struct ProviderResume {
    /// The digits that the page of the provider shows; every stopped key unless named.
    key: Option<String>,
}

/// The keys that are in use again.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResumedKeys {
    /// Their digits.
    keys: Vec<String>,
}

/// Gives stopped keys back to the workers. Tasks that waited come back within seconds.
#[utoipa::path(
    post,
    path = "/api/v1/provider/resume",
    operation_id = "resume_provider",
    tag = "provider",
    request_body = ProviderResume,
    responses((status = 200, body = ResumedKeys, description = "They are in use again."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Body(resume): Body<ProviderResume>,
) -> Result<Json<ResumedKeys>> {
    let keys = app.store.resume_keys(resume.key.as_deref(), ACTOR).await?;
    if keys.is_empty() {
        let what = resume
            .key
            .map_or_else(|| "no key is stopped".to_owned(), |key| format!("key {key:?} is not stopped"));
        return Err(ApiError::new(StatusCode::NOT_FOUND, "not_stopped", what));
    }
    app.queue.notify(UPDATES, "").await;
    Ok(Json(ResumedKeys { keys }))
}
