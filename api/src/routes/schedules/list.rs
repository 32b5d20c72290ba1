//! `GET /api/v1/schedules`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::ScheduleId;
use serde::Serialize;
use utoipa::ToSchema;

use super::SHOWN_SLOTS;
use crate::{app::App, error::Result, query::Query, views::ScheduleView};

/// A part of the list of schedules.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleList {
    /// Oldest first.
    items: Vec<ScheduleView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<String>,
}

/// Lists schedules, those of the system included, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/schedules",
    operation_id = "list_schedules",
    tag = "schedules",
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = ScheduleList, description = "A part of the list."))
)]
pub async fn handle(State(app): State<Arc<App>>, query: Query) -> Result<Json<ScheduleList>> {
    let page = query.page::<ScheduleId>()?;
    let mut schedules = app.store.schedules(page.cursor, page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = schedules.len() > limit;
    schedules.truncate(limit);
    let next_cursor = schedules.last().filter(|_| more).map(|schedule| schedule.id.to_string());
    let mut items = Vec::with_capacity(schedules.len());
    for schedule in schedules {
        let slots = app.store.slots(schedule.id, SHOWN_SLOTS).await?;
        items.push(ScheduleView::new(schedule, slots));
    }
    Ok(Json(ScheduleList { items, next_cursor }))
}
