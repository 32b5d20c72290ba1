//! Dead letters: messages whose tries are used up. They are kept, shown, and sent on their way again by a person.

use hive_domain::{AgentId, MessageId};
use uuid::Uuid;

use super::{
    Delivery,
    bind::{self, Bound},
    list::deliveries,
};
use crate::{
    error::{Error, Result},
    pool::Store,
};

/// What a redrive came to.
#[derive(Clone, Debug, Default)]
pub struct Redriven {
    /// Deliveries that are on their way again: the receiver and the message.
    pub items: Vec<(AgentId, MessageId)>,
    /// What of it was bound at once.
    pub bound: Bound,
}

impl Store {
    /// Dead letters, of one agent or all, in the order in which they were sent, at most `limit`, after this one.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown agent.
    pub async fn dead_messages(
        &self,
        agent: Option<AgentId>,
        after: Option<(MessageId, AgentId)>,
        limit: i64,
    ) -> Result<Vec<Delivery>> {
        let found = deliveries!(
            &self.pool,
            "WHERE d.state = 'dead' AND ($1::uuid IS NULL OR d.agent_id = $1)
               AND ($2::uuid IS NULL OR (d.message_id, d.agent_id) > ($2, $3::uuid))
             ORDER BY d.message_id, d.agent_id LIMIT $4",
            agent.map(AgentId::uuid),
            after.map(|(message, _)| message.uuid()),
            after.map(|(_, agent)| agent.uuid()),
            limit,
        )?;
        if let Some(agent) = agent.filter(|_| found.is_empty()) {
            self.demand_agent(agent).await?;
        }
        Ok(found)
    }

    /// Sends dead letters on their way again with all their tries, and closes the breakers of their receivers: those of
    /// these messages, of this agent, or both; at most 1,000.
    ///
    /// # Errors
    /// [`Error::Conflict`] `not_dead` when none of them is a dead letter.
    pub async fn redrive_messages(&self, agent: Option<AgentId>, messages: &[MessageId]) -> Result<Redriven> {
        let ids: Vec<Uuid> = messages.iter().map(|id| id.uuid()).collect();
        let mut tx = self.pool.begin().await?;
        let agents = sqlx::query_scalar!(
            "SELECT DISTINCT agent_id FROM message_deliveries
             WHERE state = 'dead' AND ($1::uuid IS NULL OR agent_id = $1)
               AND (cardinality($2::uuid[]) = 0 OR message_id = ANY ($2)) ORDER BY agent_id LIMIT 1000",
            agent.map(AgentId::uuid),
            &ids,
        );
        let agents = agents.fetch_all(&mut *tx).await?;
        bind::lock_inboxes(&mut tx, &agents).await?;
        let rows = sqlx::query!(
            "UPDATE message_deliveries d
             SET state = 'pending', task_id = NULL, tries = 0, died_at = NULL, visible_at = now()
             WHERE (d.agent_id, d.place) IN (
                 SELECT agent_id, place FROM message_deliveries
                 WHERE state = 'dead' AND agent_id = ANY ($1) AND (cardinality($2::uuid[]) = 0 OR message_id = ANY ($2))
                 ORDER BY agent_id, place LIMIT 1000 FOR NO KEY UPDATE)
             RETURNING agent_id, message_id",
            &agents,
            &ids,
        );
        let rows = rows.fetch_all(&mut *tx).await?;
        if rows.is_empty() {
            let message = "none of these is a dead letter".to_owned();
            return Err(Error::Conflict { code: "not_dead", message });
        }
        sqlx::query!(
            "UPDATE inboxes SET failures = 0, failed_at = NULL, open_until = NULL WHERE agent_id = ANY ($1)",
            &agents
        )
        .execute(&mut *tx)
        .await?;
        let bound = bind::bind(&mut tx, &agents, None).await?;
        tx.commit().await?;
        let items = rows.into_iter().map(|row| (row.agent_id.into(), row.message_id.into())).collect();
        Ok(Redriven { items, bound })
    }
}
