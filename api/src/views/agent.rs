//! An agent as it is shown.

use chrono::{DateTime, Utc};
use hive_domain::{AgentStatus, SleepState};
use hive_store::Agent;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{LimitsView, names};

/// An agent with its current definition.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Agent)]
pub struct AgentView {
    /// Its id.
    id: Uuid,
    /// The owner.
    project_id: Uuid,
    /// Unique in the project.
    name: String,
    /// What tasks ask for, such as `backend`.
    #[serde(rename = "type")]
    kind: String,
    /// Whether it takes tasks.
    #[schema(schema_with = names::agent_status)]
    status: AgentStatus,
    /// One more with each change of the definition.
    version: i32,
    /// What it is for, in a sentence.
    role: String,
    /// What it is told first.
    system_prompt: String,
    /// A model class (`work`, `hard`, `light`) or a model id.
    model: String,
    /// Models that stand in for it, in this order, when it is overloaded or gone.
    fallback_models: Vec<String>,
    /// The tools it may use.
    tools: Vec<String>,
    /// What it can do.
    capabilities: Vec<String>,
    /// Narrows the limits of each task.
    limits: LimitsView,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
    /// Whether it is awake.
    #[schema(schema_with = names::sleep_state)]
    sleep_state: SleepState,
    /// It wakes then at the latest; null while it is awake.
    wake_by: Option<DateTime<Utc>>,
}

impl From<Agent> for AgentView {
    fn from(agent: Agent) -> Self {
        let definition = agent.definition;
        Self {
            id: agent.id.uuid(),
            project_id: agent.project.uuid(),
            name: agent.name,
            kind: agent.kind,
            status: agent.status,
            version: agent.version,
            role: definition.role,
            system_prompt: definition.system_prompt,
            model: definition.model,
            fallback_models: definition.fallback_models,
            tools: definition.tools,
            capabilities: definition.capabilities,
            limits: definition.limits.into(),
            created_at: agent.created_at,
            updated_at: agent.updated_at,
            sleep_state: agent.sleep,
            wake_by: agent.wake_by,
        }
    }
}
