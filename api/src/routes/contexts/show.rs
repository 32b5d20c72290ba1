//! `GET /api/v1/context/{id}`

use std::sync::Arc;

use axum::{Json, extract::State, http::header::ETAG, response::IntoResponse};
use hive_domain::ContextId;

use crate::{app::App, error::Result, etag, ids::Id, views::ContextWithOutcomesView};

/// Shows an entry, whoever's it is, with where it came from and what became of the tasks that were given it.
#[utoipa::path(
    get,
    path = "/api/v1/context/{id}",
    operation_id = "show_context",
    tag = "contexts",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = ContextWithOutcomesView, description = "The entry.", headers(("ETag" = String))))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<ContextId>) -> Result<impl IntoResponse> {
    let context = app.store.context(id).await?;
    let etag = etag::of(context.version);
    let why = app.store.unembedded(context.id).await?;
    let outcomes = app.store.context_outcomes(&[id]).await?;
    let view = ContextWithOutcomesView::new(context, outcomes.get(&id)).without_vectors(why);
    Ok(([(ETAG, etag)], Json(view)))
}
