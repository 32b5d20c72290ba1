//! `GET /api/v1/housekeeping`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_store::housekeeping::DUTIES;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, query::Query, views::DutyView};

/// All duties.
#[derive(Debug, Serialize, ToSchema)]
pub struct DutyList {
    /// By name.
    items: Vec<DutyView>,
}

/// Lists the duties of housekeeping, how the last run of each went, and when it last succeeded.
#[utoipa::path(
    get,
    path = "/api/v1/housekeeping",
    operation_id = "list_housekeeping",
    tag = "housekeeping",
    responses((status = 200, body = DutyList, description = "All duties."))
)]
pub async fn handle(State(app): State<Arc<App>>, query: Query) -> Result<Json<DutyList>> {
    query.finish()?;
    let (runs, successes) = app.store.housekeeping().await?;
    let items = DUTIES.iter().map(|duty| DutyView::new(duty, &runs, &successes)).collect();
    Ok(Json(DutyList { items }))
}
