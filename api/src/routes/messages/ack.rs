//! `POST /api/v1/messages/{agent_id}/ack`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::{AgentId, MessageId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{ACTOR, App},
    body::Body,
    error::Result,
    faults::Faults,
    ids::Id,
};

const MOST: usize = 1_000;

/// What arrived.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AcknowledgeMessages)]
pub struct Arrived {
    /// Messages that the agent was sent.
    #[schema(min_items = 1, max_items = 1000)]
    message_ids: Vec<Uuid>,
}

/// What that came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcknowledgedMessages {
    /// Messages that are acknowledged by it.
    acknowledged: Vec<Uuid>,
    /// Messages that were acknowledged before.
    acknowledged_before: Vec<Uuid>,
}

/// Says that messages arrived: they are not delivered any more. One that a task was about to read is withdrawn from it.
/// Said again, it changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/messages/{agent_id}/ack",
    operation_id = "acknowledge_agent_messages",
    tag = "messages",
    params(("agent_id" = uuid::Uuid, Path)),
    request_body = Arrived,
    responses((status = 200, body = AcknowledgedMessages, description = "Noted."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(agent): Id<AgentId>,
    Body(body): Body<Arrived>,
) -> Result<Json<AcknowledgedMessages>> {
    let mut faults = Faults::default();
    faults.demand(!body.message_ids.is_empty(), "/message_ids", "must not be empty");
    faults.demand_count(body.message_ids.len(), MOST, "/message_ids");
    faults.finish()?;
    let ids: Vec<MessageId> = body.message_ids.into_iter().map(Into::into).collect();
    let done = app.store.acknowledge(agent, &ids, ACTOR).await?;
    let uuids = |ids: Vec<MessageId>| ids.into_iter().map(MessageId::uuid).collect();
    Ok(Json(AcknowledgedMessages { acknowledged: uuids(done.now), acknowledged_before: uuids(done.before) }))
}
