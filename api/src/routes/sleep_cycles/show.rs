//! `GET /api/v1/sleep-cycles/{id}`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::CycleId;

use crate::{app::App, error::Result, ids::Id, views::SleepCycleView};

/// Shows a night: where it stands, what became of entries, what it cost, and how well the memory answers before and after.
#[utoipa::path(
    get,
    path = "/api/v1/sleep-cycles/{id}",
    operation_id = "show_sleep_cycle",
    tag = "sleep",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = SleepCycleView, description = "The night."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<CycleId>) -> Result<Json<SleepCycleView>> {
    Ok(Json(app.store.sleep_cycle(id).await?.into()))
}
