//! `POST /api/v1/agents`

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{
        StatusCode,
        header::{ETAG, LOCATION},
    },
    response::IntoResponse,
};
use hive_domain::{AgentDefinition, AgentId, ProjectId};
use hive_store::NewAgent;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::definition;
use crate::{
    app::App,
    body::Body,
    error::Result,
    etag,
    faults::Faults,
    views::{AgentLimits, AgentView},
};

/// An agent to be made. Only `name` and `type` are required.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAgent)]
pub struct Introduction {
    /// Unique in the project.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// What tasks ask for, such as `backend`.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 100)]
    kind: String,
    /// The owner; the default project unless named.
    project_id: Option<Uuid>,
    /// What it is for, in a sentence.
    #[serde(default)]
    role: String,
    /// What it is told first.
    #[serde(default)]
    system_prompt: String,
    /// A model class (`work`, `hard`, `light`) or a model id.
    #[serde(default = "definition::work")]
    #[schema(default = "work")]
    model: String,
    /// Models that stand in for it, in this order, when it is overloaded or gone. Empty: its tasks wait.
    #[serde(default)]
    #[schema(max_items = 5)]
    fallback_models: Vec<String>,
    /// The tools it may use; all unless named.
    #[serde(default = "definition::all_tools")]
    tools: Vec<String>,
    /// What it can do.
    #[serde(default)]
    capabilities: Vec<String>,
    /// Narrows the limits of each task; not at all unless given.
    #[serde(default, deserialize_with = "crate::body::object::only")]
    limits: AgentLimits,
}

impl Introduction {
    fn check(self) -> Result<NewAgent> {
        let mut faults = Faults::default();
        definition::check_name(&self.name, &mut faults);
        definition::check_type(&self.kind, &mut faults);
        let definition = AgentDefinition {
            role: self.role,
            system_prompt: self.system_prompt,
            model: self.model,
            fallback_models: self.fallback_models,
            tools: self.tools,
            capabilities: self.capabilities,
            limits: self.limits.into(),
        };
        definition::check(&definition, &mut faults);
        faults.finish()?;
        Ok(NewAgent {
            id: AgentId::new(),
            project: self.project_id.map_or(ProjectId::DEFAULT, ProjectId::from),
            name: self.name,
            kind: self.kind,
            definition,
        })
    }
}

/// Makes an agent, at version 1.
#[utoipa::path(
    post,
    path = "/api/v1/agents",
    operation_id = "create_agent",
    tag = "agents",
    request_body = Introduction,
    responses((status = 201, body = AgentView, description = "Made.", headers(("Location" = String), ("ETag" = String))))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Body(introduction): Body<Introduction>,
) -> Result<impl IntoResponse> {
    let new = introduction.check()?;
    definition::check_models(&app.store, &new.definition, None).await?;
    let agent = app.store.create_agent(&new).await?;
    let location = [(LOCATION, format!("/api/v1/agents/{}", agent.id))];
    let tag = [(ETAG, etag::of(agent.version))];
    Ok((StatusCode::CREATED, location, tag, Json(AgentView::from(agent))))
}
