//! `GET /api/v1/messages/dead-letters`

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, query::Query, views::DeliveryView};

/// A part of the dead letters.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadMessageList {
    /// In the order in which they were sent.
    items: Vec<DeliveryView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<String>,
}

/// Lists messages whose tries are used up, with why the last one failed.
#[utoipa::path(
    get,
    path = "/api/v1/messages/dead-letters",
    operation_id = "list_dead_messages",
    tag = "messages",
    params(
        ("agent_id" = Option<uuid::Uuid>, Query, description = "Sent to this agent."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = DeadMessageList, description = "A part of the list."))
)]
pub async fn handle(State(app): State<Arc<App>>, mut query: Query) -> Result<Json<DeadMessageList>> {
    let agent = query.one("agent_id")?;
    let page = query.page::<Cursor>()?;
    let after = page.cursor.map(|cursor| (cursor.message, cursor.agent));
    let mut found = app.store.dead_messages(agent, after, page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).map(|last| format!("{}.{}", last.message.id, last.agent));
    let answers = app.store.answers(found.iter().map(|delivery| &delivery.message)).await?;
    let items = found.into_iter().map(|delivery| DeliveryView::new(delivery, &answers)).collect();
    Ok(Json(DeadMessageList { items, next_cursor }))
}

/// The last letter of a part: its message and its receiver.
struct Cursor {
    message: hive_domain::MessageId,
    agent: hive_domain::AgentId,
}

impl std::str::FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (message, agent) = text.split_once('.').ok_or(())?;
        Ok(Self { message: message.parse().map_err(drop)?, agent: agent.parse().map_err(drop)? })
    }
}
