//! `GET /api/v1/agents`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::AgentId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, query::Query, views::AgentView};

/// A part of the list of agents.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentList {
    /// Oldest first.
    items: Vec<AgentView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<String>,
}

/// Lists agents, active or not, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/agents",
    operation_id = "list_agents",
    tag = "agents",
    params(
        ("type" = Option<String>, Query, description = "Of this type."),
        ("name" = Option<String>, Query, description = "Of this name, in capitals or not; unique in a project to the letter."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = AgentList, description = "A part of the list."))
)]
pub async fn handle(State(app): State<Arc<App>>, mut query: Query) -> Result<Json<AgentList>> {
    let kind: Option<String> = query.one("type")?;
    let name: Option<String> = query.one("name")?;
    let page = query.page::<AgentId>()?;
    let mut agents = app.store.agents(kind.as_deref(), name.as_deref(), page.cursor, page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = agents.len() > limit;
    agents.truncate(limit);
    Ok(Json(AgentList {
        next_cursor: agents.last().filter(|_| more).map(|agent| agent.id.to_string()),
        items: agents.into_iter().map(Into::into).collect(),
    }))
}
