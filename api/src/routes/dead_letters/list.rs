//! `GET /api/v1/dead-letters`

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use hive_domain::{StatusReason, TaskId};
use hive_store::DeadLetter;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::App,
    error::{ApiError, Result},
    query::Query,
    routes::tasks::filter,
    views::TaskView,
};

/// A part of the list of dead tasks.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterList {
    /// Newest first.
    items: Vec<DeadLetterView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<String>,
}

/// A task that died: why, and all that is needed to understand or repeat it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
struct DeadLetterView {
    /// Its id.
    id: Uuid,
    /// Why it died, a stable code.
    #[schema(value_type = Option<String>)]
    reason: Option<StatusReason>,
    /// The class of its last failed try.
    error_class: Option<String>,
    /// What went wrong last, in a sentence.
    last_error: Option<String>,
    /// Claims since its last committed step.
    attempts: i32,
    /// When it died.
    died_at: Option<DateTime<Utc>>,
    /// The newest task that tries it again.
    redriven_to: Option<Uuid>,
    /// The task itself with its whole input.
    task: TaskView,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        let DeadLetter { task, redriven_to } = letter;
        Self {
            id: task.id.uuid(),
            reason: task.reason,
            error_class: task.error_class.clone(),
            last_error: task.detail.clone(),
            attempts: task.attempt,
            died_at: task.completed_at,
            redriven_to: redriven_to.map(TaskId::uuid),
            task: task.into(),
        }
    }
}

/// Lists tasks that died, newest first. All filters must fit.
#[utoipa::path(
    get,
    path = "/api/v1/dead-letters",
    operation_id = "list_dead_letters",
    tag = "dead letters",
    params(
        ("reason" = Option<String>, Query, description = "With this status_reason."),
        ("error_class" = Option<String>, Query, description = "Whose last failed try was of this class."),
        ("agent_id" = Option<uuid::Uuid>, Query, description = "Assigned to this agent."),
        ("project_id" = Option<uuid::Uuid>, Query, description = "In this project."),
        ("session_id" = Option<uuid::Uuid>, Query, description = "In this session."),
        ("parent_id" = Option<uuid::Uuid>, Query, description = "A part of this task."),
        ("label" = Option<Vec<String>>, Query, description = "With this label, as name:value; may be repeated."),
        ("created_since" = Option<String>, Query, description = "Accepted at or after this time of RFC 3339."),
        ("created_before" = Option<String>, Query, description = "Accepted before this time."),
        ("ended_since" = Option<String>, Query, description = "Died at or after this time."),
        ("ended_before" = Option<String>, Query, description = "Died before this time."),
        ("redriven" = Option<bool>, Query, description = "Whether a newer task tries it again."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = DeadLetterList, description = "A part of the list."))
)]
pub async fn handle(State(app): State<Arc<App>>, mut query: Query) -> Result<Json<DeadLetterList>> {
    let filter = filter::from_query(&mut query)?;
    if !filter.statuses.is_empty() {
        return Err(ApiError::parameter("status", "is not a parameter of this path: all of these are dead"));
    }
    let page = query.page::<TaskId>()?;
    let letters = app.store.dead_letters(&filter, page.cursor, page.limit).await?;
    Ok(Json(DeadLetterList {
        items: letters.items.into_iter().map(Into::into).collect(),
        next_cursor: letters.next.map(|id| id.to_string()),
    }))
}
