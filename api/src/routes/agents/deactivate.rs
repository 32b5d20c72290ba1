//! `DELETE /api/v1/agents/{id}`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use hive_domain::{AgentId, AgentStatus};

use crate::{app::App, error::Result, ids::Id};

/// Deactivates an agent: it keeps its history and takes no more tasks. An update with status `active` undoes it.
#[utoipa::path(
    delete,
    path = "/api/v1/agents/{id}",
    operation_id = "deactivate_agent",
    tag = "agents",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 204, description = "It is inactive."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<AgentId>) -> Result<StatusCode> {
    app.store.update_agent(id, None, None, Some(AgentStatus::Inactive), None).await?;
    Ok(StatusCode::NO_CONTENT)
}
