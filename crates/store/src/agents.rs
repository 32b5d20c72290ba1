//! Agents and their versions.

use chrono::{DateTime, Utc};
use hive_domain::{AgentDefinition, AgentId, AgentStatus, Limits, ProjectId};

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
    tools: Vec<String>,
    capabilities: Vec<String>,
    limits: serde_json::Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
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
                tools: row.tools,
                capabilities: row.capabilities,
                limits: limits_of(id, row.limits)?,
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn limits_of(id: uuid::Uuid, stored: serde_json::Value) -> Result<Limits> {
    serde_json::from_value(stored).map_err(|e| Error::inconsistent("agent_versions", "limits", id, e))
}

fn refused(error: sqlx::Error, name: &str) -> Error {
    match Error::constraint(&error) {
        Some("agents_name_key") => Error::Conflict {
            code: "agent_name_taken",
            message: format!("an agent named {name:?} exists in this project"),
        },
        Some("agents_project_id_fkey") => {
            Error::Invalid { field: "/project_id", message: "this project does not exist".to_owned() }
        }
        _ => error.into(),
    }
}

impl Store {
    /// Makes an agent with its first version.
    ///
    /// # Errors
    /// [`Error::Conflict`] `agent_name_taken`; [`Error::Invalid`] for an unknown project.
    pub async fn create_agent(&self, new: &NewAgent) -> Result<Agent> {
        self.insert_agent(new, false).await?;
        self.agent(new.id).await
    }

    /// Makes those of `agents` whose name the project does not have yet; returns how many were made.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn seed_agents(&self, agents: &[NewAgent]) -> Result<usize> {
        let mut made = 0;
        for agent in agents {
            made += usize::from(self.insert_agent(agent, true).await?);
        }
        Ok(made)
    }

    async fn insert_agent(&self, new: &NewAgent, skip_taken: bool) -> Result<bool> {
        let definition = &new.definition;
        let limits = serde_json::to_value(&definition.limits)
            .map_err(|e| Error::inconsistent("agent_versions", "limits", new.id, e))?;
        let mut tx = self.pool.begin().await?;
        if skip_taken {
            // Two processes may seed at once: the second waits here and then finds the names taken.
            sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('hive.seed_agents'))")
                .execute(&mut *tx)
                .await?;
            let taken = sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT 1 FROM agents WHERE project_id = $1 AND name = $2) AS "taken!""#,
                new.project.uuid(),
                new.name,
            )
            .fetch_one(&mut *tx)
            .await?;
            if taken {
                return Ok(false);
            }
        }
        sqlx::query!(
            "INSERT INTO agents (id, project_id, name, type) VALUES ($1, $2, $3, $4)",
            new.id.uuid(),
            new.project.uuid(),
            new.name,
            new.kind,
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| refused(error, &new.name))?;
        sqlx::query!(
            "INSERT INTO agent_versions (agent_id, version, role, system_prompt, model, tools, capabilities, limits)
             VALUES ($1, 1, $2, $3, $4, $5, $6, $7)",
            new.id.uuid(),
            definition.role,
            definition.system_prompt,
            definition.model,
            &definition.tools,
            &definition.capabilities,
            limits,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// One agent with its current definition.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn agent(&self, id: AgentId) -> Result<Agent> {
        sqlx::query_as!(
            Row,
            r#"SELECT a.id, a.project_id, a.name, a.type AS kind, a.status::text AS "status!", a.version,
                      v.role, v.system_prompt, v.model, v.tools, v.capabilities, v.limits, a.created_at, a.updated_at
               FROM agents a JOIN agent_versions v ON v.agent_id = a.id AND v.version = a.version
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
        cursor: Option<AgentId>,
        limit: i64,
    ) -> Result<Vec<Agent>> {
        sqlx::query_as!(
            Row,
            r#"SELECT a.id, a.project_id, a.name, a.type AS kind, a.status::text AS "status!", a.version,
                      v.role, v.system_prompt, v.model, v.tools, v.capabilities, v.limits, a.created_at, a.updated_at
               FROM agents a JOIN agent_versions v ON v.agent_id = a.id AND v.version = a.version
               WHERE ($1::text IS NULL OR a.type = $1) AND ($2::uuid IS NULL OR a.id > $2)
               ORDER BY a.id
               LIMIT $3"#,
            kind,
            cursor.map(AgentId::uuid),
            limit,
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
            "SELECT role, system_prompt, model, tools, capabilities, limits
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
            tools: row.tools,
            capabilities: row.capabilities,
            limits: limits_of(id.uuid(), row.limits)?,
        })
    }

    /// Changes name, status or definition. A changed definition becomes a new version; runs that started keep theirs.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `agent_name_taken`, or `agent_changed` when `expected_version` is not
    /// the current one.
    pub async fn update_agent(
        &self,
        id: AgentId,
        expected_version: Option<i32>,
        name: Option<&str>,
        status: Option<AgentStatus>,
        definition: Option<&AgentDefinition>,
    ) -> Result<Agent> {
        let mut tx = self.pool.begin().await?;
        let current =
            sqlx::query_scalar!("SELECT version FROM agents WHERE id = $1 FOR NO KEY UPDATE", id.uuid())
                .fetch_optional(&mut *tx)
                .await?
                .ok_or_else(|| Error::NotFound { what: "agent", id: id.to_string() })?;
        if expected_version.is_some_and(|expected| expected != current) {
            return Err(Error::Conflict {
                code: "agent_changed",
                message: format!("the agent is at version {current}"),
            });
        }
        let mut version = current;
        if let Some(definition) = definition {
            version += 1;
            let limits = serde_json::to_value(&definition.limits)
                .map_err(|e| Error::inconsistent("agent_versions", "limits", id, e))?;
            sqlx::query!(
                "INSERT INTO agent_versions (agent_id, version, role, system_prompt, model, tools, capabilities, limits)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                id.uuid(),
                version,
                definition.role,
                definition.system_prompt,
                definition.model,
                &definition.tools,
                &definition.capabilities,
                limits,
            )
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query!(
            "UPDATE agents
             SET name = coalesce($2, name), status = coalesce($3::text::agent_status, status), version = $4,
                 updated_at = now()
             WHERE id = $1",
            id.uuid(),
            name,
            status.map(AgentStatus::as_str),
            version,
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| refused(error, name.unwrap_or_default()))?;
        tx.commit().await?;
        self.agent(id).await
    }
}
