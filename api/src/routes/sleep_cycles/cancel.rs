//! `POST /api/v1/sleep-cycles/{id}/cancel`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::CycleId;

use crate::{
    app::{ACTOR, App},
    error::Result,
    ids::Id,
    views::SleepCycleView,
};

/// Stops a night that is under way. Nothing of it is left but the report.
#[utoipa::path(
    post,
    path = "/api/v1/sleep-cycles/{id}/cancel",
    operation_id = "cancel_sleep_cycle",
    tag = "sleep",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = SleepCycleView, description = "It is stopped."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<CycleId>) -> Result<Json<SleepCycleView>> {
    Ok(Json(app.store.cancel_cycle(id, ACTOR).await?.into()))
}
