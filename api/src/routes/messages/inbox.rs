//! `GET /api/v1/messages/{agent_id}/inbox`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::AgentId;

use crate::{app::App, error::Result, ids::Id, views::InboxView};

/// Shows how an inbox is read, what waits in it, and whether it takes messages.
#[utoipa::path(
    get,
    path = "/api/v1/messages/{agent_id}/inbox",
    operation_id = "show_inbox",
    tag = "messages",
    params(("agent_id" = uuid::Uuid, Path)),
    responses((status = 200, body = InboxView, description = "The inbox as it stands."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(agent): Id<AgentId>) -> Result<Json<InboxView>> {
    Ok(Json(app.store.inbox(agent).await?.into()))
}
