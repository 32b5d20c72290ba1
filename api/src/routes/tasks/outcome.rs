//! `POST /api/v1/tasks/{id}/outcome`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::TaskId;
use hive_store::Decision;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::{ACTOR, App},
    body::Body,
    error::Result,
    faults::Faults,
    ids::Id,
    views::TaskView,
};

/// The longest result, in bytes.
const MAX_RESULT_BYTES: usize = 12_000;

/// What came of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Came {
    /// It took place.
    Done,
    /// It did not, and is made again.
    NotDone,
}

/// What a person found out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOutcome)]
pub struct Found {
    /// Whether the call took place.
    outcome: Came,
    /// What the agent reads as the call's result, at most 12,000 bytes. Required with `done`, refused with `not_done`.
    result: Option<String>,
}

/// Says what came of an external call that was cut, for a task that waits as `outcome_unknown`. The task goes on.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/outcome",
    operation_id = "decide_outcome",
    tag = "tasks",
    params(("id" = uuid::Uuid, Path)),
    request_body = Found,
    responses((status = 200, body = TaskView, description = "The task, ready to go on."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<TaskId>,
    Body(found): Body<Found>,
) -> Result<Json<TaskView>> {
    let mut faults = Faults::default();
    let text = found.result.as_deref().unwrap_or_default().trim();
    match found.outcome {
        Came::Done => faults.demand(!text.is_empty(), "/result", "must not be empty with done"),
        Came::NotDone => {
            faults.demand(found.result.is_none(), "/result", "must not be given with not_done");
        }
    }
    faults.demand_bytes(text.len(), MAX_RESULT_BYTES, "/result");
    faults.finish()?;
    let decision = match found.outcome {
        Came::Done => Decision::Done(text.to_owned()),
        Came::NotDone => Decision::NotDone,
    };
    let task = app.store.decide_outcome(id, &decision, ACTOR).await?;
    app.announce(&task).await;
    Ok(Json(task.into()))
}
