//! Messages between agents: none lost, none out of order, none left lying.

use sqlx::PgPool;
use uuid::Uuid;

use super::{Checked, KEPT, Rows, Violation};
use crate::{error::Result, pool::Store};

/// What one of the checks found.
struct Found {
    evidence: String,
}

impl Store {
    /// Looks at every conversation, every inbox and everything that is on its way. A violation names no task; its evidence
    /// names the conversation or the inbox.
    ///
    /// # Errors
    /// When Postgres refuses or a statement takes longer than it may.
    pub async fn verify_messages(&self) -> Result<Vec<Checked>> {
        let rows = sqlx::query!(
            r#"SELECT (SELECT count(*) FROM conversations) AS "messages!",
                      (SELECT count(*) FROM message_deliveries) AS "deliveries!""#
        );
        let rows = rows.fetch_one(&self.pool).await?;
        Ok(vec![
            checked(
                "message_order",
                "the messages of a conversation are numbered without gaps",
                (Rows::Messages, rows.messages),
                numbers(&self.pool).await?,
            ),
            checked(
                "message_lost",
                "every message for agents has a delivery for one of them",
                (Rows::Messages, rows.messages),
                lost(&self.pool).await?,
            ),
            checked(
                "inbox_order",
                "the places of an inbox have no gaps",
                (Rows::Deliveries, rows.deliveries),
                places(&self.pool).await?,
            ),
            checked(
                "delivery_stuck",
                "nothing is bound to a task that ended a minute ago, or taken a minute longer than it may be",
                (Rows::Deliveries, rows.deliveries),
                stuck(&self.pool).await?,
            ),
        ])
    }
}

fn checked(
    name: &'static str,
    says: &'static str,
    (rows, looked_at): (Rows, i64),
    found: Vec<Found>,
) -> Checked {
    let violation = |found: Found| Violation { task: Uuid::nil().into(), evidence: found.evidence };
    Checked {
        name,
        says,
        rows,
        looked_at,
        found: found.len(),
        violations: found.into_iter().take(KEPT).map(violation).collect(),
    }
}

async fn numbers(pool: &PgPool) -> Result<Vec<Found>> {
    let found = sqlx::query_as!(
        Found,
        r#"SELECT format('conversation %s has %s messages from %s to %s, and gave the number %s', t.id, m.number, m.first,
                         m.last, t.last_number) AS "evidence!"
           FROM threads t
           JOIN (SELECT thread_id, count(*) AS number, min(number) AS first, max(number) AS last
                 FROM conversations GROUP BY thread_id) AS m ON m.thread_id = t.id
           -- The oldest go first when they were kept long enough.
           WHERE m.number <> m.last - m.first + 1 OR m.last <> t.last_number"#,
    );
    Ok(found.fetch_all(pool).await?)
}

async fn lost(pool: &PgPool) -> Result<Vec<Found>> {
    let found = sqlx::query_as!(
        Found,
        r#"SELECT format('message %s is delivered to nobody', m.id) AS "evidence!"
           FROM conversations m
           WHERE NOT EXISTS (SELECT 1 FROM message_deliveries d WHERE d.message_id = m.id)
             -- A person reads the conversation.
             AND (m.audience <> 'direct' OR m.to_agent_id IS NOT NULL)
             -- When it was kept long enough its deliveries go first.
             AND m.created_at > now() - interval '1 day'"#,
    );
    Ok(found.fetch_all(pool).await?)
}

async fn places(pool: &PgPool) -> Result<Vec<Found>> {
    let found = sqlx::query_as!(
        Found,
        r#"SELECT format('the inbox of agent %s has %s places from %s to %s, and gave the place %s', i.agent_id, d.number,
                         d.first, d.last, i.last_place) AS "evidence!"
           FROM inboxes i
           JOIN (SELECT agent_id, count(*) AS number, min(place) AS first, max(place) AS last
                 FROM message_deliveries GROUP BY agent_id) AS d ON d.agent_id = i.agent_id
           -- The oldest go first when they were kept long enough.
           WHERE d.number <> d.last - d.first + 1 OR d.last <> i.last_place"#,
    );
    Ok(found.fetch_all(pool).await?)
}

async fn stuck(pool: &PgPool) -> Result<Vec<Found>> {
    let found = sqlx::query_as!(
        Found,
        r#"SELECT format('message %s to agent %s is bound to task %s, which is %s', d.message_id, d.agent_id, t.id, t.status)
                  AS "evidence!"
           FROM message_deliveries d JOIN tasks t ON t.id = d.task_id
           WHERE d.state = 'bound' AND t.completed_at < now() - interval '1 min'
           UNION ALL
           SELECT format('message %s to agent %s was to be acknowledged by %s', message_id, agent_id, visible_at)
           FROM message_deliveries WHERE state = 'taken' AND visible_at < now() - interval '1 min'"#,
    );
    Ok(found.fetch_all(pool).await?)
}
