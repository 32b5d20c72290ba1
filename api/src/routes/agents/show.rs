//! `GET /api/v1/agents/{id}`

use std::sync::Arc;

use axum::{Json, extract::State, http::header::ETAG, response::IntoResponse};
use hive_domain::AgentId;

use crate::{app::App, error::Result, etag, ids::Id, views::AgentView};

/// Shows an agent with its current definition.
#[utoipa::path(
    get,
    path = "/api/v1/agents/{id}",
    operation_id = "show_agent",
    tag = "agents",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = AgentView, description = "The agent.", headers(("ETag" = String))))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<AgentId>) -> Result<impl IntoResponse> {
    let agent = app.store.agent(id).await?;
    Ok(([(ETAG, etag::of(agent.version))], Json(AgentView::from(agent))))
}
