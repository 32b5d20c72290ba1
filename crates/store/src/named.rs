//! What a search names, which has to be there: else it would find nothing, and nobody would know why.

use hive_domain::{AgentId, ContextId, ConversationId, ProjectId, SessionId};

use crate::{error::Result, pool::Store};

/// What a search names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The project.
    pub project: Option<ProjectId>,
    /// The session.
    pub session: Option<SessionId>,
    /// The agent for which is searched.
    pub agent: Option<AgentId>,
    /// The agent that wrote.
    pub sender: Option<AgentId>,
    /// The conversation.
    pub conversation: Option<ConversationId>,
    /// The entry of which parts are searched.
    pub parent: Option<ContextId>,
}

/// Which of it does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// The project.
    pub project: bool,
    /// The session.
    pub session: bool,
    /// The agent for which is searched.
    pub agent: bool,
    /// The agent that wrote.
    pub sender: bool,
    /// The conversation.
    pub conversation: bool,
    /// The entry of which parts are searched.
    pub parent: bool,
}

impl Store {
    /// What of this does not exist. Asks nobody when nothing is named.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn missing(&self, named: &Named) -> Result<Missing> {
        if *named == Named::default() {
            return Ok(Missing::default());
        }
        let missing = sqlx::query_as!(
            Missing,
            r#"SELECT $1::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM projects WHERE id = $1) AS "project!",
                      $2::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM sessions WHERE id = $2) AS "session!",
                      $3::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM agents WHERE id = $3) AS "agent!",
                      $4::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM agents WHERE id = $4) AS "sender!",
                      $5::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM threads WHERE id = $5) AS "conversation!",
                      $6::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM contexts WHERE id = $6) AS "parent!""#,
            named.project.map(ProjectId::uuid),
            named.session.map(SessionId::uuid),
            named.agent.map(AgentId::uuid),
            named.sender.map(AgentId::uuid),
            named.conversation.map(ConversationId::uuid),
            named.parent.map(ContextId::uuid),
        );
        Ok(missing.fetch_one(&self.pool).await?)
    }
}
