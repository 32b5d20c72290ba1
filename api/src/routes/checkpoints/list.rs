//! `GET /api/v1/system/checkpoints`

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{app::App, error::Result, query::Query, views::CheckpointView};

/// A part of the list of checkpoints.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckpointList {
    /// Newest first.
    items: Vec<CheckpointView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<String>,
}

/// Lists checkpoints, newest first, also those that failed and those whose files are gone.
#[utoipa::path(
    get,
    path = "/api/v1/system/checkpoints",
    operation_id = "list_checkpoints",
    tag = "system",
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = CheckpointList, description = "A part of the list."))
)]
pub async fn handle(State(app): State<Arc<App>>, query: Query) -> Result<Json<CheckpointList>> {
    let page = query.page::<Uuid>()?;
    let mut checkpoints = app.store.checkpoints(page.cursor, page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = checkpoints.len() > limit;
    checkpoints.truncate(limit);
    Ok(Json(CheckpointList {
        next_cursor: checkpoints.last().filter(|_| more).map(|checkpoint| checkpoint.id.to_string()),
        items: checkpoints.into_iter().map(Into::into).collect(),
    }))
}
