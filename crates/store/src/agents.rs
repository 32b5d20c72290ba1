//! Agents and their versions.

mod change;

use chrono::{DateTime, Utc};
use hive_domain::{AgentDefinition, AgentId, AgentStatus, Limits, ProjectId, SleepState};

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// An agent with its current definition.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// The owner.
    pub project: ProjectId,
    /// Unique in the project.
    pub name: String,
    /// `backend`, `qa`, …
    pub kind: String,
    /// Whether it takes tasks.
    pub status: AgentStatus,
    /// The current version.
    pub version: i32,
    /// What that version says.
    pub definition: AgentDefinition,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Whether it is awake.
    pub sleep: SleepState,
    /// It wakes then at the latest; `None` while it is awake.
    pub wake_by: Option<DateTime<Utc>>,
}

/// An agent to be made.
#[derive(Clone, Debug)]
pub struct NewAgent {
    /// Chosen by the caller.
    pub id: AgentId,
    /// The owner.
    pub project: ProjectId,
    /// 1 to 255 characters, unique in the project.
    pub name: String,
    /// `backend`, `qa`, …
    pub kind: String,
    /// Its first version.
    pub definition: AgentDefinition,
}

struct Row {
    id: uuid::Uuid,
    project_id: uuid::Uuid,
    name: String,
    kind: String,
    status: String,
    version: i32,
    role: String,
    system_prompt: String,
    model: String,
    fallback_models: Vec<String>,
    tools: Vec<String>,
    capabilities: Vec<String>,
    limits: serde_json::Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    sleep: String,
    wake_by: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Agent {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let id = row.id;
        Ok(Self {
            id: id.into(),
            project: row.project_id.into(),
            name: row.name,
            kind: row.kind,
            status: row.status.parse().map_err(|e| Error::inconsistent("agents", "status", id, e))?,
            version: row.version,
            definition: AgentDefinition {
                role: row.role,
                system_prompt: row.system_prompt,
                model: row.model,
                fallback_models: row.fallback_models,
                tools: row.tools,
                capabilities: row.capabilities,
                limits: limits_of(id, row.limits)?,
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
            sleep: row.sleep.parse().map_err(|e| Error::inconsistent("sleeps", "state", id, e))?,
            wake_by: row.wake_by,
        })
    }
}

fn limits_of(id: uuid::Uuid, stored: serde_json::Value) -> Result<Limits> {
    serde_json::from_value(stored).map_err(|e| Error::inconsistent("agent_versions", "limits", id, e))
}

impl Store {
    /// One agent with its current definition.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn agent(&self, id: AgentId) -> Result<Agent> {
        sqlx::query_as!(
            Row,
            r#"SELECT a.id, a.project_id, a.name, a.type AS kind, a.status::text AS "status!", a.version,
                      v.role, v.system_prompt, v.model, v.fallback_models, v.tools, v.capabilities, v.limits, a.created_at, a.updated_at,
                      coalesce(s.state, 'awake')::text AS "sleep!", s.wake_by AS "wake_by?"
               FROM agents a JOIN agent_versions v ON v.agent_id = a.id AND v.version = a.version
               LEFT JOIN sleeps s ON s.agent_id = a.id AND s.state <> 'awake'
               WHERE a.id = $1"#,
            id.uuid(),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| Error::NotFound { what: "agent", id: id.to_string() })?
        .try_into()
    }

    /// Agents after `cursor`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn agents(
        &self,
        kind: Option<&str>,
        name: Option<&str>,
        cursor: Option<AgentId>,
        limit: i64,
    ) -> Result<Vec<Agent>> {
        sqlx::query_as!(
            Row,
            r#"SELECT a.id, a.project_id, a.name, a.type AS kind, a.status::text AS "status!", a.version,
                      v.role, v.system_prompt, v.model, v.fallback_models, v.tools, v.capabilities, v.limits, a.created_at, a.updated_at,
                      coalesce(s.state, 'awake')::text AS "sleep!", s.wake_by AS "wake_by?"
               FROM agents a JOIN agent_versions v ON v.agent_id = a.id AND v.version = a.version
               LEFT JOIN sleeps s ON s.agent_id = a.id AND s.state <> 'awake'
               WHERE ($1::text IS NULL OR a.type = $1) AND ($2::uuid IS NULL OR a.id > $2)
                 AND ($4::text IS NULL OR lower(a.name) = lower($4))
               ORDER BY a.id
               LIMIT $3"#,
            kind,
            cursor.map(AgentId::uuid),
            limit,
            name,
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Agent::try_from)
        .collect()
    }

    /// The definition that a run is pinned to.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn agent_definition(&self, id: AgentId, version: i32) -> Result<AgentDefinition> {
        let row = sqlx::query!(
            "SELECT role, system_prompt, model, fallback_models, tools, capabilities, limits
             FROM agent_versions WHERE agent_id = $1 AND version = $2",
            id.uuid(),
            version,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| Error::NotFound { what: "agent version", id: format!("{id}/{version}") })?;
        Ok(AgentDefinition {
            role: row.role,
            system_prompt: row.system_prompt,
            model: row.model,
            fallback_models: row.fallback_models,
            tools: row.tools,
            capabilities: row.capabilities,
            limits: limits_of(id.uuid(), row.limits)?,
        })
    }
}
