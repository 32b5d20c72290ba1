//! `POST /api/v1/provider/resume`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use hive_queue::Bucket;
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
    /// The digits that the page of the provider shows; every key unless named.
    key: Option<String>,
}

/// What is in use again.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResumedKeys {
    /// The digits of keys that were stopped.
    keys: Vec<String>,
    /// Models that the provider held and that may be called again.
    holds: Vec<KeyModel>,
    /// Models whose breaker was open and is closed.
    breakers: Vec<KeyModel>,
}

/// A model under a key.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyModel {
    /// The digits of the key.
    key: String,
    /// The model.
    model: String,
}

/// Gives stopped keys back to the workers and ends holds before their time, and closes breakers. Tasks that waited come back within seconds.
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
    let key = resume.key.as_deref();
    let keys = app.store.resume_keys(key, ACTOR).await?;
    let lifted = app.store.lift_holds(key, ACTOR).await?;
    let closed = app.store.close_breakers(key, ACTOR).await?;
    // Of every model: Redis may hold one that Postgres was not told of.
    let known = app.store.provider(key).await?.models;
    for state in &known {
        let bucket = Bucket { key: &state.key, model: &state.model };
        if let Err(error) = app.queue.lift_hold(bucket).await {
            // It comes to its end by itself; workers without Redis go by Postgres.
            tracing::warn!("a hold of model {} stands in Redis: {error}", state.model);
        }
    }
    if keys.is_empty() && lifted.is_empty() && closed.is_empty() {
        let what = resume.key.map_or_else(
            || "no key is stopped, no model held and no breaker open".to_owned(),
            |key| {
                format!("key {key:?} is not stopped, and none of its models held or behind an open breaker")
            },
        );
        return Err(ApiError::new(StatusCode::NOT_FOUND, "not_stopped", what));
    }
    app.queue.notify(UPDATES, "").await;
    let listed = |models: Vec<_>| models.into_iter().map(|(key, model)| KeyModel { key, model }).collect();
    Ok(Json(ResumedKeys { keys, holds: listed(lifted), breakers: listed(closed) }))
}
