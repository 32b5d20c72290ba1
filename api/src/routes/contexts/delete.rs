//! `DELETE /api/v1/context/{id}`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::ContextId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{ACTOR, App},
    error::Result,
    ids::Id,
};

/// What a deletion did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContextDeletion)]
pub struct Deletion {
    /// What is gone: the entry, what it replaced, and what was drawn from these alone.
    deleted: Vec<Uuid>,
    /// What was drawn from something else as well: it stands, and says that a source is gone.
    flagged: Vec<Uuid>,
}

/// Deletes an entry for good: its text, its vectors and its history, what was drawn from nothing else, and what a night
/// retired since the entry says the same. A mark that says nothing of it stays.
#[utoipa::path(
    delete,
    path = "/api/v1/context/{id}",
    operation_id = "delete_context",
    tag = "contexts",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = Deletion, description = "It is gone."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<ContextId>) -> Result<Json<Deletion>> {
    let deleted = app.store.delete_context(id, ACTOR).await?;
    let ids = |ids: Vec<ContextId>| ids.into_iter().map(ContextId::uuid).collect();
    Ok(Json(Deletion { deleted: ids(deleted.gone), flagged: ids(deleted.flagged) }))
}
