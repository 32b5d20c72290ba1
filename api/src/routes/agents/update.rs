//! `PUT /api/v1/agents/{id}`

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header::ETAG},
    response::IntoResponse,
};
use hive_domain::{AgentDefinition, AgentId, AgentStatus};
use serde::Deserialize;
use utoipa::ToSchema;

use super::definition;
use crate::{
    app::App,
    body::Body,
    error::Result,
    etag,
    faults::Faults,
    ids::Id,
    views::{AgentLimits, AgentView, agent_status},
};

/// What is to change. What is not named stays as it is; the type never changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentChange)]
pub struct Change {
    /// Unique in the project.
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Whether it takes tasks.
    #[schema(schema_with = agent_status)]
    status: Option<AgentStatus>,
    /// What it is for, in a sentence.
    role: Option<String>,
    /// What it is told first.
    system_prompt: Option<String>,
    /// A model class (`work`, `hard`, `light`) or a model id.
    model: Option<String>,
    /// Models that stand in for it, in this order, when it is overloaded or gone. Empty: its tasks wait.
    #[schema(max_items = 5)]
    fallback_models: Option<Vec<String>>,
    /// The tools it may use.
    tools: Option<Vec<String>>,
    /// What it can do.
    capabilities: Option<Vec<String>>,
    /// Narrows the limits of each task.
    #[serde(default, deserialize_with = "crate::body::object::optional")]
    limits: Option<AgentLimits>,
}

impl Change {
    /// The definition after the change, all of it checked.
    fn applied_to(&mut self, current: AgentDefinition) -> Result<AgentDefinition> {
        let definition = AgentDefinition {
            role: self.role.take().unwrap_or(current.role),
            system_prompt: self.system_prompt.take().unwrap_or(current.system_prompt),
            model: self.model.take().unwrap_or(current.model),
            fallback_models: self.fallback_models.take().unwrap_or(current.fallback_models),
            tools: self.tools.take().unwrap_or(current.tools),
            capabilities: self.capabilities.take().unwrap_or(current.capabilities),
            limits: self.limits.take().map_or(current.limits, Into::into),
        };
        let mut faults = Faults::default();
        if let Some(name) = &self.name {
            definition::check_name(name, &mut faults);
        }
        definition::check(&definition, &mut faults);
        faults.finish()?;
        Ok(definition)
    }
}

/// Changes an agent. A changed definition becomes a new version; runs that started keep theirs. With `If-Match` it
/// happens only at that version, else 412.
#[utoipa::path(
    put,
    path = "/api/v1/agents/{id}",
    operation_id = "update_agent",
    tag = "agents",
    params(
        ("id" = uuid::Uuid, Path),
        ("If-Match" = Option<String>, Header, description = "The ETag that the change is meant for.")
    ),
    request_body = Change,
    responses((status = 200, body = AgentView, description = "The agent after it.", headers(("ETag" = String))))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<AgentId>,
    headers: HeaderMap,
    Body(mut change): Body<Change>,
) -> Result<impl IntoResponse> {
    let demanded = etag::demanded(&headers)?;
    let current = app.store.agent(id).await?;
    let before = current.definition.clone();
    let definition = change.applied_to(current.definition)?;
    definition::check_models(&app.store, &definition, Some(&before)).await?;
    let definition = (definition != before).then_some(&definition);
    // What is not named was read above, so a change in between must not be overwritten by it.
    let expected = demanded.unwrap_or(current.version);
    let updated =
        app.store.update_agent(id, Some(expected), change.name.as_deref(), change.status, definition).await;
    let agent = updated.map_err(|error| etag::unmet(error, demanded, "agent_changed"))?;
    Ok(([(ETAG, etag::of(agent.version))], Json(AgentView::from(agent))))
}
