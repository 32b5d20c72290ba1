//! Receivers outside: they take what waits, and say that they have it. What is taken and not acknowledged in time comes
//! back.

use std::time::Duration;

use hive_domain::{AgentId, MessageId};
use uuid::Uuid;

use super::{Delivery, bind::lock_inboxes, list::deliveries};
use crate::{
    error::{Error, Result},
    meter,
    pool::Store,
};

/// What a receiver's word came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// Messages that are acknowledged by it.
    pub now: Vec<MessageId>,
    /// Messages that were acknowledged before.
    pub before: Vec<MessageId>,
}

impl Store {
    /// Takes what waits in an inbox, in order, at most `most`, for so long; none: as long as the inbox says. What is
    /// bound to a task is not handed out. What was taken and comes back is not overtaken in its conversation. An inbox
    /// from which somebody takes is not thereby closed to tasks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown agent.
    pub async fn take_messages(
        &self,
        agent: AgentId,
        most: i64,
        within: Option<Duration>,
    ) -> Result<Vec<Delivery>> {
        let mut tx = self.pool.begin().await?;
        lock_inboxes(&mut tx, &[agent.uuid()]).await?;
        let places = sqlx::query_scalar!(
            r#"WITH next AS (
                   SELECT d.agent_id, d.place
                   FROM message_deliveries d JOIN conversations m ON m.id = d.message_id
                   WHERE d.agent_id = $1 AND d.state = 'pending' AND d.visible_at <= now()
                     -- As tasks do not: see `bind`. What was not acknowledged in time waits for the next sweep.
                     AND NOT EXISTS (
                         SELECT FROM message_deliveries e JOIN conversations o ON o.id = e.message_id
                         WHERE e.agent_id = $1 AND e.place < d.place AND o.thread_id = m.thread_id
                           AND (e.state = 'pending' AND e.visible_at > now()
                                OR e.state = 'taken' AND e.visible_at <= now()))
                   ORDER BY d.place LIMIT $2 FOR NO KEY UPDATE OF d
               )
               UPDATE message_deliveries d
               SET state = 'taken', tries = tries + 1, last_error = NULL,
                   visible_at = now() + make_interval(secs => coalesce($3::float8, i.visibility_seconds))
               FROM next JOIN inboxes i ON i.agent_id = next.agent_id
               WHERE d.agent_id = next.agent_id AND d.place = next.place
               RETURNING d.place"#,
            agent.uuid(),
            most,
            within.map(|within| within.as_secs_f64()),
        );
        let mut places = places.fetch_all(&mut *tx).await?;
        tx.commit().await?;
        places.sort_unstable();
        if places.is_empty() {
            self.demand_agent(agent).await?;
        }
        deliveries!(
            &self.pool,
            "WHERE d.agent_id = $1 AND d.place = ANY ($2) ORDER BY d.place",
            agent.uuid(),
            &places
        )
    }

    /// Notes that a receiver has these messages. One that is bound to a task is withdrawn from it, unless it has read it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a message that this agent was not sent, or that is dead; then none is acknowledged.
    pub async fn acknowledge(
        &self,
        agent: AgentId,
        messages: &[MessageId],
        by: &str,
    ) -> Result<Acknowledged> {
        let ids: Vec<Uuid> = messages.iter().map(|id| id.uuid()).collect();
        let mut tx = self.pool.begin().await?;
        lock_inboxes(&mut tx, &[agent.uuid()]).await?;
        // While the inbox is held nothing is bound; a task may still read what is bound to it, unless it is held as well.
        let held = sqlx::query!(
            "SELECT id FROM tasks WHERE id IN (
                 SELECT task_id FROM message_deliveries
                 WHERE agent_id = $1 AND message_id = ANY ($2) AND state = 'bound')
             ORDER BY id FOR NO KEY UPDATE",
            agent.uuid(),
            &ids,
        );
        held.fetch_all(&mut *tx).await?;
        let rows = sqlx::query!(
            r#"SELECT message_id, state::text AS "state!", task_id FROM message_deliveries
               WHERE agent_id = $1 AND message_id = ANY ($2) ORDER BY place FOR NO KEY UPDATE"#,
            agent.uuid(),
            &ids,
        );
        let rows = rows.fetch_all(&mut *tx).await?;
        if let Some(unknown) = ids.iter().find(|id| !rows.iter().any(|row| row.message_id == **id)) {
            let message = format!("message {unknown} was not sent to agent {agent}");
            return Err(Error::Invalid { field: "/message_ids", message });
        }
        if let Some(dead) = rows.iter().find(|row| row.state == "dead") {
            let message = format!("message {} is a dead letter; it is redriven first", dead.message_id);
            return Err(Error::Invalid { field: "/message_ids", message });
        }
        let (before, now): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.state == "acknowledged");
        let bound: Vec<Uuid> =
            now.iter().filter(|row| row.state == "bound").filter_map(|row| row.task_id).collect();
        let now: Vec<Uuid> = now.into_iter().map(|row| row.message_id).collect();
        sqlx::query!(
            "UPDATE tasks SET mail = greatest(mail - g.number, 0)
             FROM (SELECT id, count(*)::integer AS number FROM unnest($1::uuid[]) AS id GROUP BY id) AS g
             WHERE tasks.id = g.id",
            &bound,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE message_deliveries
             SET state = 'acknowledged', task_id = NULL, acknowledged_at = now(), acknowledged_by = $3, last_error = NULL
             WHERE agent_id = $1 AND message_id = ANY ($2)",
            agent.uuid(),
            &now,
            by,
        )
        .execute(&mut *tx)
        .await?;
        if !now.is_empty() {
            sqlx::query!(
                "UPDATE inboxes SET failures = 0, failed_at = NULL, open_until = NULL WHERE agent_id = $1",
                agent.uuid()
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        meter::acknowledged("receiver", now.len());
        Ok(Acknowledged {
            now: now.into_iter().map(Into::into).collect(),
            before: before.into_iter().map(|row| row.message_id.into()).collect(),
        })
    }

    pub(super) async fn demand_agent(&self, agent: AgentId) -> Result<()> {
        let there = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM agents WHERE id = $1) AS "there!""#,
            agent.uuid()
        );
        if there.fetch_one(&self.pool).await? {
            return Ok(());
        }
        Err(Error::NotFound { what: "agent", id: agent.to_string() })
    }
}
