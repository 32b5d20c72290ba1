//! `GET /api/v1/provider`

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use hive_store::{ModelState, ProviderEvent, StoppedKey};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, query::Query};

/// What turns calls to the provider away, and what did lately.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Provider)]
pub struct ProviderView {
    /// Keys that no worker calls with.
    stopped_keys: Vec<StoppedKeyView>,
    /// Models of which something is known, by key and model.
    models: Vec<ModelView>,
    /// The latest changes, the newest first, at most 50.
    events: Vec<EventView>,
}

/// A key that no worker calls with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StoppedKey)]
struct StoppedKeyView {
    /// The first digits of the SHA-256 of the key and its address.
    key: String,
    /// `authentication`, `permission`, `billing` or `spend_limit`.
    reason: String,
    /// What the provider said.
    detail: String,
    /// Since when.
    stopped_at: DateTime<Utc>,
    /// When one call tries it again.
    probe_at: DateTime<Utc>,
}

/// A model under a key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderModel)]
struct ModelView {
    /// The first digits of the SHA-256 of the key and its address.
    key: String,
    /// The model's id.
    model: String,
    /// No call is made before; null when none is held back.
    hold_until: Option<DateTime<Utc>>,
    /// The breaker: `closed`, `open`, or `half_open` while one call tries.
    breaker: &'static str,
    /// Since when it is open.
    opened_at: Option<DateTime<Utc>>,
    /// When one call may try.
    probe_at: Option<DateTime<Utc>>,
    /// The failure that opened it.
    detail: Option<String>,
    /// Requests of a minute, as the provider named them; null where it did not.
    requests_per_minute: Option<u64>,
    /// Input tokens of a minute, likewise.
    input_tokens_per_minute: Option<u64>,
    /// Output tokens of a minute, likewise.
    output_tokens_per_minute: Option<u64>,
}

/// Something that changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderEvent)]
struct EventView {
    /// When.
    at: DateTime<Utc>,
    /// `breaker_opened`, `breaker_closed`, `key_stopped`, `key_resumed` or `hold_lifted`.
    kind: String,
    /// The first digits of the SHA-256 of the key and its address.
    key: String,
    /// The model; null for the whole key.
    model: Option<String>,
    /// Why.
    detail: String,
}

impl From<StoppedKey> for StoppedKeyView {
    fn from(stop: StoppedKey) -> Self {
        Self {
            key: stop.key,
            reason: stop.reason,
            detail: stop.detail,
            stopped_at: stop.stopped_at,
            probe_at: stop.probe_at,
        }
    }
}

impl From<ModelState> for ModelView {
    fn from(state: ModelState) -> Self {
        let [requests, input, output] = state.limits.map(|limit| Some(limit).filter(|limit| *limit > 0));
        let breaker = match &state.open {
            None => "closed",
            Some(open) if open.probing => "half_open",
            Some(_) => "open",
        };
        Self {
            key: state.key,
            model: state.model,
            hold_until: state.hold_until.filter(|_| !state.held_for.is_zero()),
            breaker,
            opened_at: state.open.as_ref().map(|open| open.opened_at),
            probe_at: state.open.as_ref().map(|open| open.probe_at),
            detail: state.open.map(|open| open.detail),
            requests_per_minute: requests,
            input_tokens_per_minute: input,
            output_tokens_per_minute: output,
        }
    }
}

impl From<ProviderEvent> for EventView {
    fn from(event: ProviderEvent) -> Self {
        let model = Some(event.model).filter(|model| !model.is_empty());
        Self { at: event.at, kind: event.kind, key: event.key, model, detail: event.detail }
    }
}

/// Shows stopped keys, holds, breakers and limits, for all workers alike.
#[utoipa::path(
    get,
    path = "/api/v1/provider",
    operation_id = "show_provider",
    tag = "provider",
    responses((status = 200, body = ProviderView, description = "As it is now."))
)]
pub async fn handle(State(app): State<Arc<App>>, query: Query) -> Result<Json<ProviderView>> {
    query.finish()?;
    let state = app.store.provider(None).await?;
    let events = app.store.provider_events().await?;
    Ok(Json(ProviderView {
        stopped_keys: state.stopped.into_iter().map(Into::into).collect(),
        models: state.models.into_iter().map(Into::into).collect(),
        events: events.into_iter().map(Into::into).collect(),
    }))
}
