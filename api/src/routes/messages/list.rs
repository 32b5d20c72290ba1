//! `GET /api/v1/messages/{agent_id}`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::AgentId;
use hive_store::DeliveryFilter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    error::{ApiError, Result},
    ids::Id,
    query::Query,
    views::DeliveryView,
};

/// A part of an inbox.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentMessageList {
    /// In the order of the inbox.
    items: Vec<DeliveryView>,
    /// The cursor of the next part: the place of the last message; null at the end.
    next_cursor: Option<String>,
}

/// Lists what an agent was sent, in the order of its inbox. Reading changes nothing: whoever keeps the place that it
/// has come to reads on from there, and may go back to any place that is kept.
#[utoipa::path(
    get,
    path = "/api/v1/messages/{agent_id}",
    operation_id = "list_agent_messages",
    tag = "messages",
    params(
        ("agent_id" = uuid::Uuid, Path),
        ("state" = Option<String>, Query, description = "`unacknowledged`, the default: what is on its way. `all`: \
            everything, arrived and dead messages too."),
        ("conversation_id" = Option<uuid::Uuid>, Query, description = "Of this conversation."),
        ("since" = Option<String>, Query, description = "Sent at or after this time of RFC 3339."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<i64>, Query, description = "Messages after this place.")
    ),
    responses((status = 200, body = AgentMessageList, description = "A part of the inbox."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(agent): Id<AgentId>,
    mut query: Query,
) -> Result<Json<AgentMessageList>> {
    let filter = DeliveryFilter {
        unacknowledged: match query.one::<String>("state")?.as_deref() {
            None | Some("unacknowledged") => true,
            Some("all") => false,
            Some(_) => return Err(ApiError::parameter("state", "is unacknowledged or all")),
        },
        conversation: query.one("conversation_id")?,
        since: query.time("since")?,
    };
    let page = query.page::<i64>()?;
    let mut found =
        app.store.inbox_after(agent, page.cursor.unwrap_or(0).max(0), &filter, page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).map(|delivery| delivery.place.to_string());
    let answers = app.store.answers(found.iter().map(|delivery| &delivery.message)).await?;
    let items = found.into_iter().map(|delivery| DeliveryView::new(delivery, &answers)).collect();
    Ok(Json(AgentMessageList { items, next_cursor }))
}
