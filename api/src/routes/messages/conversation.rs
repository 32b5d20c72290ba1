//! `GET /api/v1/conversations/{conversation_id}`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::ConversationId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, ids::Id, query::Query, views::AgentMessageView};

/// A part of a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversation {
    /// In the order of their numbers.
    items: Vec<AgentMessageView>,
    /// The cursor of the next part: the number of the last message; null at the end.
    next_cursor: Option<String>,
}

/// Shows what was said in a conversation, by agents and people, in order.
#[utoipa::path(
    get,
    path = "/api/v1/conversations/{conversation_id}",
    operation_id = "show_conversation",
    tag = "messages",
    params(
        ("conversation_id" = uuid::Uuid, Path),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<i64>, Query, description = "Messages after this number.")
    ),
    responses((status = 200, body = Conversation, description = "A part of the conversation."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<ConversationId>,
    query: Query,
) -> Result<Json<Conversation>> {
    let page = query.page::<i64>()?;
    let mut found = app.store.conversation(id, page.cursor.unwrap_or(0).max(0), page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).map(|message| message.number.to_string());
    let answers = app.store.answers(found.iter()).await?;
    let items = found.into_iter().map(|message| AgentMessageView::new(message, &answers)).collect();
    Ok(Json(Conversation { items, next_cursor }))
}
