//! `PATCH /api/v1/tasks/{id}`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use hive_domain::{Priority, TaskId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::change::change;
use crate::{
    app::{ACTOR, App},
    error::Result,
    idempotency::Keyed,
    ids::Id,
    views::TaskView,
};

/// What is to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskChange {
    /// 1 is most urgent, 9 least.
    #[schema(value_type = i16, minimum = 1, maximum = 9)]
    priority: Priority,
}

/// Changes the priority of a task that has not ended.
#[utoipa::path(
    patch,
    path = "/api/v1/tasks/{id}",
    operation_id = "update_task",
    tag = "tasks",
    params(
        ("id" = uuid::Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")
    ),
    request_body = TaskChange,
    responses((status = 200, body = TaskView, description = "The task after it."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<TaskId>,
    Keyed { body, key, .. }: Keyed<TaskChange>,
) -> Result<Response> {
    change(&app, key, StatusCode::OK, async |once| once.reprioritise(id, body.priority, ACTOR).await).await
}
