//! `GET /api/v1/limits`

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, views::TaskLimitView};

/// How many are shown.
const MOST: i64 = 1_000;

/// The limits that were set.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskLimitList {
    /// By kind and name, at most 1,000.
    items: Vec<TaskLimitView>,
}

/// Lists the limits of concurrency keys and agents.
#[utoipa::path(
    get,
    path = "/api/v1/limits",
    operation_id = "list_limits",
    tag = "queue",
    responses((status = 200, body = TaskLimitList, description = "Those that were set."))
)]
pub async fn handle(State(app): State<Arc<App>>) -> Result<Json<TaskLimitList>> {
    let limits = app.store.task_limits(None, MOST).await?;
    Ok(Json(TaskLimitList { items: limits.into_iter().map(Into::into).collect() }))
}
