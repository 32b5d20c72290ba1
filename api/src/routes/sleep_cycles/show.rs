//! `GET /api/v1/sleep-cycles/{id}`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::{CycleId, CycleState};

use crate::{app::App, error::Result, ids::Id, views::SleepCycleView};

/// Questions that are told of a night that was rejected.
const LOST: i64 = 20;

/// Shows a night: where it stands, what it waits for, what became of entries, what it cost, how well the memory answers
/// before and after, and when it was rejected, what would be answered no more.
#[utoipa::path(
    get,
    path = "/api/v1/sleep-cycles/{id}",
    operation_id = "show_sleep_cycle",
    tag = "sleep",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = SleepCycleView, description = "The night."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<CycleId>) -> Result<Json<SleepCycleView>> {
    let cycle = app.store.sleep_cycle(id).await?;
    let rejected = cycle.state == CycleState::RejectedByGate;
    let lost = if rejected { Some(app.store.lost_probes(id, LOST).await?) } else { None };
    let wait = app.store.cycle_wait(id).await?;
    Ok(Json(SleepCycleView::from(cycle).with(wait, lost)))
}
