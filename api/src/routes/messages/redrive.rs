//! `POST /api/v1/messages/dead-letters/redrive`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::MessageId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{app::App, body::Body, error::Result, faults::Faults};

const MOST: usize = 1_000;

/// Which dead letters go on their way again: these messages, those of an agent, or both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RedriveMessages)]
pub struct Which {
    /// These.
    #[serde(default)]
    #[schema(max_items = 1000)]
    message_ids: Vec<Uuid>,
    /// Those that were sent to this agent.
    agent_id: Option<Uuid>,
}

/// What goes on its way again.
#[derive(Debug, Serialize, ToSchema)]
pub struct RedrivenMessages {
    /// Each with its receiver; at most 1,000.
    items: Vec<RedrivenMessage>,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
struct RedrivenMessage {
    /// The message.
    message_id: Uuid,
    /// Its receiver.
    agent_id: Uuid,
}

/// Sends dead letters on their way again, with all their tries, and lets their receivers be written to again.
#[utoipa::path(
    post,
    path = "/api/v1/messages/dead-letters/redrive",
    operation_id = "redrive_dead_messages",
    tag = "messages",
    request_body = Which,
    responses((status = 200, body = RedrivenMessages, description = "They are on their way."))
)]
pub async fn handle(State(app): State<Arc<App>>, Body(which): Body<Which>) -> Result<Json<RedrivenMessages>> {
    let mut faults = Faults::default();
    let names_some = !which.message_ids.is_empty() || which.agent_id.is_some();
    faults.demand(names_some, "/message_ids", "or agent_id is required");
    faults.demand_count(which.message_ids.len(), MOST, "/message_ids");
    faults.finish()?;
    let ids: Vec<MessageId> = which.message_ids.into_iter().map(Into::into).collect();
    let done = app.store.redrive_messages(which.agent_id.map(Into::into), &ids).await?;
    app.deliver(&done.bound).await;
    let item = |(agent, message): (hive_domain::AgentId, MessageId)| RedrivenMessage {
        message_id: message.uuid(),
        agent_id: agent.uuid(),
    };
    Ok(Json(RedrivenMessages { items: done.items.into_iter().map(item).collect() }))
}
