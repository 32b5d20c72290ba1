//! `GET /api/v1/sleep-cycles/{id}/diff`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::CycleId;
use hive_store::CHANGE_KINDS;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::App,
    error::{ApiError, Result},
    ids::Id,
    query::Query,
    views::{CycleChangeView, SleepCycleView},
};

/// The difference that a night makes, and the night itself with its cost and quality.
#[derive(Debug, Serialize, ToSchema)]
pub struct SleepCycleDiff {
    /// The night.
    cycle: SleepCycleView,
    /// In the order in which it was done.
    items: Vec<CycleChangeView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<Uuid>,
}

/// Shows what a night did, thing by thing, with reasons and sources. Of one that changed nothing it is what it would have
/// done.
#[utoipa::path(
    get,
    path = "/api/v1/sleep-cycles/{id}/diff",
    operation_id = "show_sleep_cycle_diff",
    tag = "sleep",
    params(
        ("id" = uuid::Uuid, Path),
        ("kind" = Option<String>, Query, description = "Only `extracted`, `merged`, `superseded`, `promoted`, `decayed`, `kept`, `refused` or `dropped`."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = SleepCycleDiff, description = "A part of the difference."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<CycleId>,
    mut query: Query,
) -> Result<Json<SleepCycleDiff>> {
    let kind: Option<String> = query.one("kind")?;
    if kind.as_deref().is_some_and(|kind| !CHANGE_KINDS.contains(&kind)) {
        return Err(ApiError::parameter("kind", format!("is one of {}", CHANGE_KINDS.join(", "))));
    }
    let page = query.page::<Uuid>()?;
    let mut changes = app.store.cycle_changes(id, kind.as_deref(), page.cursor, page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = changes.len() > limit;
    changes.truncate(limit);
    let next_cursor = changes.last().filter(|_| more).map(|last| last.id);
    let cycle = app.store.sleep_cycle(id).await?.into();
    Ok(Json(SleepCycleDiff { cycle, items: changes.into_iter().map(Into::into).collect(), next_cursor }))
}
