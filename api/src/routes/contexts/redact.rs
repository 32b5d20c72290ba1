//! `POST /api/v1/context/{id}/redact`

use std::sync::Arc;

use axum::{Json, extract::State, http::header::ETAG, response::IntoResponse};
use hive_domain::ContextId;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{app::App, body::Body, error::Result, etag, faults::Faults, ids::Id, views::ContextView};

/// Texts of one request, and the shortest of them in characters: a shorter one would write over parts of words.
const MAX_TEXTS: usize = 50;
const LEAST: usize = 3;

/// What must not be read any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Redaction)]
pub struct Redaction {
    /// Each is written over wherever it stands, letter by letter as it is; of at least 3 characters.
    #[schema(min_items = 1, max_items = 50)]
    texts: Vec<String>,
}

/// Writes over text for good: in the entry, in its history, in what was drawn from it or it was drawn from, and in what a
/// night retired for it. Vectors of the old text go, and new ones are made.
#[utoipa::path(
    post,
    path = "/api/v1/context/{id}/redact",
    operation_id = "redact_context",
    tag = "contexts",
    params(("id" = uuid::Uuid, Path)),
    request_body = Redaction,
    responses((status = 200, body = ContextView, description = "The entry after it.", headers(("ETag" = String))))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<ContextId>,
    Body(redaction): Body<Redaction>,
) -> Result<impl IntoResponse> {
    let mut faults = Faults::default();
    faults.demand(!redaction.texts.is_empty(), "/texts", "must not be empty");
    faults.demand_count(redaction.texts.len(), MAX_TEXTS, "/texts");
    for (at, text) in redaction.texts.iter().enumerate() {
        if text.trim().chars().count() < LEAST {
            faults.refuse(format!("/texts/{at}"), "must have at least 3 characters");
        }
    }
    faults.finish()?;
    let context = app.store.redact_context(id, &redaction.texts).await?;
    app.memory.wants_vectors();
    Ok(([(ETAG, etag::of(context.version))], Json(ContextView::from(context))))
}
