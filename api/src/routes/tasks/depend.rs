//! `POST /api/v1/tasks/{id}/dependencies`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use hive_domain::TaskId;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::change::change;
use crate::{
    app::{ACTOR, App},
    error::Result,
    faults::Faults,
    idempotency::Keyed,
    ids::Id,
    views::TaskView,
};

const MAX_DEPENDENCIES: usize = 100;

/// What the task is to wait for besides.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoreDependencies {
    /// Tasks that must end first. With those it waits for already, at most 100.
    #[schema(min_items = 1, max_items = 100)]
    depends_on: Vec<Uuid>,
}

/// Lets a task that has not begun wait for further tasks. A circle is refused, and `cycle` names its tasks in order.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/dependencies",
    operation_id = "add_dependencies",
    tag = "tasks",
    params(
        ("id" = uuid::Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")
    ),
    request_body = MoreDependencies,
    responses((status = 200, body = TaskView, description = "The task, which waits for all of them."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<TaskId>,
    Keyed { body, key, .. }: Keyed<MoreDependencies>,
) -> Result<Response> {
    let mut faults = Faults::default();
    faults.demand(!body.depends_on.is_empty(), "/depends_on", "must not be empty");
    faults.demand_count(body.depends_on.len(), MAX_DEPENDENCIES, "/depends_on");
    faults.finish()?;
    let depends_on: Vec<TaskId> = body.depends_on.into_iter().map(TaskId::from).collect();
    change(&app, key, StatusCode::OK, async |once| once.depend(id, &depends_on, ACTOR).await).await
}
