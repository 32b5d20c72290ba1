//! `GET /api/v1/routing-rules`

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, query::Query, views::RoutingView};

/// Versions of the routing rules.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoutingList {
    /// Newest first.
    items: Vec<RoutingView>,
    /// The version that tasks are pinned to when they begin.
    active_version: i32,
    /// The cursor of older ones; null at the end.
    next_cursor: Option<String>,
}

/// Lists the versions of the routing rules, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/routing-rules",
    operation_id = "list_routing_rules",
    tag = "models",
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<i32>, Query, description = "Versions before this one.")
    ),
    responses((status = 200, body = RoutingList, description = "A part of them."))
)]
pub async fn handle(State(app): State<Arc<App>>, query: Query) -> Result<Json<RoutingList>> {
    let page = query.page::<i32>()?;
    let mut versions = app.store.routings(page.cursor, page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = versions.len() > limit;
    versions.truncate(limit);
    let next_cursor = versions.last().filter(|_| more).map(|last| last.version.to_string());
    let active_version = app.store.routing(None).await?.version;
    Ok(Json(RoutingList {
        items: versions.into_iter().map(Into::into).collect(),
        active_version,
        next_cursor,
    }))
}
