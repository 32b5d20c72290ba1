//! `GET /api/v1/tasks/{id}/why`

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use hive_domain::{StatusReason, TaskId, TaskStatus};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{app::App, error::Result, ids::Id, views::task_status};

/// Why a task stands where it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Why)]
pub struct WhyView {
    /// Where it stands.
    #[schema(schema_with = task_status)]
    status: TaskStatus,
    /// Why, as the task has it.
    #[schema(value_type = Option<String>)]
    status_reason: Option<StatusReason>,
    /// The one cause, a stable code.
    cause: &'static str,
    /// What holds it, in a sentence.
    explanation: String,
    /// What clears it, in a sentence.
    clears: String,
    /// When it clears by itself, if that is known.
    until: Option<DateTime<Utc>>,
    /// Tasks that hold it.
    tasks: Vec<Uuid>,
}

/// Names the one cause that keeps a task from going on, or that ended it, and what clears it.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/why",
    operation_id = "explain_task",
    tag = "tasks",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = WhyView, description = "The cause."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<TaskId>) -> Result<Json<WhyView>> {
    let (task, why) = app.store.why(id).await?;
    Ok(Json(WhyView {
        status: task.status,
        status_reason: task.reason,
        cause: why.cause,
        explanation: why.explanation,
        clears: why.clears,
        until: why.until,
        tasks: why.tasks.into_iter().map(TaskId::uuid).collect(),
    }))
}
