//! `GET /api/v1/tasks/{id}/artifacts`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::TaskId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, ids::Id, query::Query, views::ArtifactView};

/// A part of the texts that a task shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArtifactList {
    /// By name.
    items: Vec<ArtifactView>,
    /// The cursor of the next part: the name of the last one; null at the end.
    next_cursor: Option<String>,
}

/// Lists the stored texts of a task without loading them: its diff, and whole outputs of which a step shows a part.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/artifacts",
    operation_id = "list_artifacts",
    tag = "tasks",
    params(
        ("id" = uuid::Uuid, Path),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "Those after this name.")
    ),
    responses((status = 200, body = ArtifactList, description = "A part of the list."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<TaskId>,
    query: Query,
) -> Result<Json<ArtifactList>> {
    let page = query.page::<String>()?;
    let after = page.cursor.unwrap_or_default();
    let mut artifacts = app.store.artifacts(id, &after, page.limit + 1).await?;
    if artifacts.is_empty() {
        app.store.task(id).await?;
    }
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = artifacts.len() > limit;
    artifacts.truncate(limit);
    let next_cursor = artifacts.last().filter(|_| more).map(|artifact| artifact.name.clone());
    Ok(Json(ArtifactList { items: artifacts.into_iter().map(Into::into).collect(), next_cursor }))
}
