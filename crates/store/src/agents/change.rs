//! Making agents and changing them. A definition is never edited: a change adds a version.

use hive_domain::{AgentDefinition, AgentId, AgentStatus};
use sqlx::PgConnection;

use super::{Agent, NewAgent};
use crate::{
    error::{Error, Result},
    pool::Store,
};

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

async fn insert_version(
    connection: &mut PgConnection,
    id: AgentId,
    version: i32,
    definition: &AgentDefinition,
) -> Result<()> {
    let limits = serde_json::to_value(&definition.limits)
        .map_err(|e| Error::inconsistent("agent_versions", "limits", id, e))?;
    sqlx::query!(
        "INSERT INTO agent_versions (agent_id, version, role, system_prompt, model, tools, capabilities, limits,
                                     fallback_models)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id.uuid(),
        version,
        definition.role,
        definition.system_prompt,
        definition.model,
        &definition.tools,
        &definition.capabilities,
        limits,
        &definition.fallback_models,
    )
    .execute(connection)
    .await?;
    Ok(())
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
        insert_version(&mut tx, new.id, 1, &new.definition).await?;
        tx.commit().await?;
        Ok(true)
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
            insert_version(&mut tx, id, version, definition).await?;
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
