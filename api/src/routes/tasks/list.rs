//! `GET /api/v1/tasks`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::TaskId;
use serde::Serialize;
use utoipa::ToSchema;

use super::filter;
use crate::{app::App, error::Result, query::Query, views::TaskView};

/// A part of the list of tasks.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskList {
    /// Newest first.
    items: Vec<TaskView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<String>,
}

/// Lists tasks, newest first. All filters must fit.
#[utoipa::path(
    get,
    path = "/api/v1/tasks",
    operation_id = "list_tasks",
    tag = "tasks",
    params(
        ("status" = Option<Vec<String>>, Query, description = "In one of these states; repeated or with commas."),
        ("reason" = Option<String>, Query, description = "With this status_reason."),
        ("agent_id" = Option<uuid::Uuid>, Query, description = "Assigned to this agent."),
        ("project_id" = Option<uuid::Uuid>, Query, description = "In this project."),
        ("label" = Option<Vec<String>>, Query, description = "With this label, as name:value; may be repeated."),
        ("created_since" = Option<String>, Query, description = "Accepted at or after this time of RFC 3339."),
        ("created_before" = Option<String>, Query, description = "Accepted before this time."),
        ("session_id" = Option<uuid::Uuid>, Query, description = "In this session."),
        ("parent_id" = Option<uuid::Uuid>, Query, description = "A part of this task."),
        ("error_class" = Option<String>, Query, description = "Whose last failed try was of this class."),
        ("ended_since" = Option<String>, Query, description = "Ended at or after this time."),
        ("ended_before" = Option<String>, Query, description = "Ended before this time."),
        ("redriven" = Option<bool>, Query, description = "Whether a newer task tries it again."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = TaskList, description = "A part of the list."))
)]
pub async fn handle(State(app): State<Arc<App>>, mut query: Query) -> Result<Json<TaskList>> {
    let filter = filter::from_query(&mut query)?;
    let page = query.page::<TaskId>()?;
    let tasks = app.store.tasks(&filter, page.cursor, page.limit).await?;
    Ok(Json(TaskList {
        items: tasks.items.into_iter().map(Into::into).collect(),
        next_cursor: tasks.next.map(|id| id.to_string()),
    }))
}
