//! `GET /api/v1/events`

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, query::Query, views::SystemEventView};

/// A part of the list of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemEventList {
    /// Newest first.
    items: Vec<SystemEventView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<String>,
}

/// Lists what happened to the system, newest first. All filters must fit.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    operation_id = "list_system_events",
    tag = "events",
    params(
        ("channel" = Option<Vec<String>>, Query, description = "`system_events` or `health_checks`; may be repeated."),
        ("kind" = Option<Vec<String>>, Query, description = "Such as `queue.paused`; may be repeated."),
        ("subject" = Option<String>, Query, description = "About this: an id or a name."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = SystemEventList, description = "A part of the list."))
)]
pub async fn handle(State(app): State<Arc<App>>, mut query: Query) -> Result<Json<SystemEventList>> {
    let filter = super::filter(&mut query)?;
    let page = query.page::<i64>()?;
    let mut events = app.store.system_events_before(&filter, page.cursor, page.limit + 1).await?;
    let more = i64::try_from(events.len()).unwrap_or(i64::MAX) > page.limit;
    if more {
        events.pop();
    }
    let next_cursor = events.last().filter(|_| more).map(|last| last.seq.to_string());
    Ok(Json(SystemEventList { items: events.into_iter().map(Into::into).collect(), next_cursor }))
}
