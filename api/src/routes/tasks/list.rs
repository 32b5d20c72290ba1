//! `GET /api/v1/tasks`

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use hive_domain::TaskId;
use hive_store::TaskFilter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    error::{ApiError, Result},
    query::Query,
    views::TaskView,
};

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
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = TaskList, description = "A part of the list."))
)]
pub async fn handle(State(app): State<Arc<App>>, mut query: Query) -> Result<Json<TaskList>> {
    let filter = TaskFilter {
        project: query.one("project_id")?,
        statuses: query.many("status")?,
        reason: query.one("reason")?,
        agent: query.one("agent_id")?,
        labels: labels(query.texts("label"))?,
        created_since: query.time("created_since")?,
    };
    let page = query.page::<TaskId>()?;
    let tasks = app.store.tasks(&filter, page.cursor, page.limit).await?;
    Ok(Json(TaskList {
        items: tasks.items.into_iter().map(Into::into).collect(),
        next_cursor: tasks.next.map(|id| id.to_string()),
    }))
}

fn labels(texts: Vec<String>) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for text in texts {
        let Some((name, value)) = text.split_once(':') else {
            return Err(ApiError::parameter("label", "is not of the form name:value"));
        };
        let before = labels.insert(name.to_owned(), value.to_owned());
        if before.is_some_and(|before| before != value) {
            return Err(ApiError::parameter(
                "label",
                format!("no task has two values of the label {name:?}"),
            ));
        }
    }
    Ok(labels)
}
