//! `POST /api/v1/sleep-cycles/{id}/rollback`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use hive_domain::CycleId;
use hive_store::{RollbackConflict, RollbackObstacle, RollbackWish, RolledBack};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{ACTOR, App},
    body::Body,
    error::{ApiError, FieldError, Result},
    ids::Id,
    views::SleepCycleView,
};

/// How far it goes; without fields, as far as nothing stands in the way.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RollBackSleepCycle)]
pub struct Wish {
    /// Later nights that built on it go with it.
    #[serde(default)]
    with_later: bool,
    /// What people changed or deleted of its entries since does not hold it up.
    #[serde(default)]
    force: bool,
}

/// What was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct RolledBackSleepCycles {
    /// The latest first.
    items: Vec<SleepCycleView>,
}

/// Takes a night back: what it retired is recalled again as it was, byte for byte, and nothing of what it brought. What
/// stands in the way is answered with 409 `sleep_cycle_conflicts`, entry by entry, and nothing is done.
#[utoipa::path(
    post,
    path = "/api/v1/sleep-cycles/{id}/rollback",
    operation_id = "roll_back_sleep_cycle",
    tag = "sleep",
    params(("id" = uuid::Uuid, Path)),
    request_body = Wish,
    responses((status = 200, body = RolledBackSleepCycles, description = "It is taken back."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<CycleId>,
    Body(wish): Body<Wish>,
) -> Result<Json<RolledBackSleepCycles>> {
    let wish = RollbackWish { with_later: wish.with_later, force: wish.force };
    match app.store.roll_back_cycle(id, wish, ACTOR).await? {
        RolledBack::Done(cycles) => {
            Ok(Json(RolledBackSleepCycles { items: cycles.into_iter().map(Into::into).collect() }))
        }
        RolledBack::Conflicts(conflicts) => {
            let count = conflicts.len();
            let errors = conflicts.iter().map(told).collect();
            let detail = format!("{count} things stand in the way of taking sleep cycle {id} back");
            Err(ApiError::new(StatusCode::CONFLICT, "sleep_cycle_conflicts", detail).with_errors(errors))
        }
    }
}

fn told(conflict: &RollbackConflict) -> FieldError {
    let entry = conflict.entry;
    let cycle = conflict.cycle;
    let (pointer, what) = match conflict.obstacle {
        RollbackObstacle::LaterCycle(later) => {
            ("/with_later", format!("entry {entry} was worked on by the later sleep cycle {later}"))
        }
        RollbackObstacle::Changed => {
            ("/force", format!("entry {entry}, which sleep cycle {cycle} brought or kept, was changed since"))
        }
        RollbackObstacle::Deleted => (
            "/force",
            format!(
                "entry {entry}, which sleep cycle {cycle} brought or kept, was deleted; what it stands for would come back"
            ),
        ),
        RollbackObstacle::Gone => (
            "/force",
            format!("entry {entry}, which sleep cycle {cycle} retired, was deleted and cannot come back"),
        ),
    };
    FieldError::body(pointer, what)
}
