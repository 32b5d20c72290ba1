//! `PUT /api/v1/tasks/{id}/assign`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::{AgentId, TaskId};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{ACTOR, App},
    body::Body,
    error::Result,
    ids::Id,
    views::TaskView,
};

/// Who is to do it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// An active agent of the task's project.
    agent_id: Uuid,
}

/// Gives a task that has not begun to another agent.
#[utoipa::path(
    put,
    path = "/api/v1/tasks/{id}/assign",
    operation_id = "assign_task",
    tag = "tasks",
    params(("id" = uuid::Uuid, Path)),
    request_body = Assignment,
    responses((status = 200, body = TaskView, description = "The task with its new agent."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<TaskId>,
    Body(assignment): Body<Assignment>,
) -> Result<Json<TaskView>> {
    let task = app.store.assign(id, AgentId::from(assignment.agent_id), ACTOR).await?;
    app.tell(&task).await;
    Ok(Json(task.into()))
}
