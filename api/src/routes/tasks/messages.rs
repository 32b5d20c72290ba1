//! `GET /api/v1/tasks/{id}/messages`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::TaskId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, ids::Id, query::Query, views::MessageView};

/// A part of what people told a task.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageList {
    /// In order.
    items: Vec<MessageView>,
    /// The cursor of the next part: the number of the last message; null at the end.
    next_cursor: Option<String>,
}

/// Lists what people told the agent of a task, and whether it was read.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/messages",
    operation_id = "list_messages",
    tag = "tasks",
    params(
        ("id" = uuid::Uuid, Path),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<i32>, Query, description = "Messages after this number.")
    ),
    responses((status = 200, body = MessageList, description = "A part of the messages."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<TaskId>,
    query: Query,
) -> Result<Json<MessageList>> {
    let page = query.page::<i32>()?;
    let mut messages = app.store.messages(id, page.cursor.unwrap_or(0), page.limit + 1).await?;
    if messages.is_empty() {
        app.store.task(id).await?;
    }
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = messages.len() > limit;
    messages.truncate(limit);
    let next_cursor = messages.last().filter(|_| more).map(|message| message.number.to_string());
    Ok(Json(MessageList { items: messages.into_iter().map(Into::into).collect(), next_cursor }))
}
