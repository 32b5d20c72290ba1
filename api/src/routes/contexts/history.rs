//! `GET /api/v1/context/{id}/history`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::ContextId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, ids::Id, views::ContextView};

/// Rows that are shown.
const MOST: i64 = 200;

/// All that was said in one place.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContextHistory)]
pub struct History {
    /// Oldest first, at most 200.
    items: Vec<ContextView>,
}

/// Shows what an entry replaced and what replaced it.
#[utoipa::path(
    get,
    path = "/api/v1/context/{id}/history",
    operation_id = "show_context_history",
    tag = "contexts",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = History, description = "All rows of its lineage."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<ContextId>) -> Result<Json<History>> {
    let lineage = app.store.context(id).await?.lineage;
    let items = app.store.context_history(lineage, MOST).await?;
    Ok(Json(History { items: items.into_iter().map(ContextView::from).collect() }))
}
