//! `GET /api/v1/context/{id}`

use std::sync::Arc;

use axum::{Json, extract::State, http::header::ETAG, response::IntoResponse};
use hive_domain::ContextId;

use crate::{app::App, error::Result, etag, ids::Id, views::ContextView};

/// Shows an entry, whoever's it is, with where it came from.
#[utoipa::path(
    get,
    path = "/api/v1/context/{id}",
    operation_id = "show_context",
    tag = "contexts",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = ContextView, description = "The entry.", headers(("ETag" = String))))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<ContextId>) -> Result<impl IntoResponse> {
    let context = app.store.context(id).await?;
    let why = app.store.unembedded(context.id).await?;
    Ok(([(ETAG, etag::of(context.version))], Json(ContextView::from(context).without_vectors(why))))
}
