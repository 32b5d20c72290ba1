//! Finding again what did not arrive: what a task ended without reading, what a receiver took and did not acknowledge,
//! what waits for a task. A pass changes nothing that is right, and may run in any number of schedulers at once.

use std::collections::BTreeSet;

use hive_domain::{AgentId, MessageId};
use uuid::Uuid;

use super::bind::{self, Bound};
use crate::{error::Result, meter, pool::Store};

/// Deliveries that one pass looks at, of each kind.
const PORTION: i64 = 500;
/// Inboxes of which one pass binds what waits.
const INBOXES: i64 = 100;
/// Tries in a row that fail before nobody may write to an agent.
const BREAKER: i32 = 5;
/// How long the breaker stays open at first, and at most, in seconds.
const OPEN_SECONDS: (f64, f64) = (30.0, 600.0);
/// The pause after the first try that failed, and at most, in seconds.
const PAUSE_SECONDS: (f64, f64) = (1.0, 60.0);

/// What one pass found.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Deliveries that go on their way again.
    pub again: usize,
    /// Deliveries whose tries are used up.
    pub dead: Vec<(AgentId, MessageId)>,
    /// Receivers whose breaker opened.
    pub opened: Vec<AgentId>,
    /// What was bound.
    pub bound: Bound,
}

/// A try that failed.
struct Failed {
    agent_id: Uuid,
    place: i64,
    task_id: Option<Uuid>,
    error: String,
    /// Whether it says something about the receiver.
    counts: bool,
}

impl Store {
    /// One pass.
    ///
    /// # Errors
    /// When Postgres refuses; the next pass does it.
    pub async fn sweep_messages(&self) -> Result<Swept> {
        let mut swept = Swept::default();
        let missed = sqlx::query_as!(
            Failed,
            r#"SELECT d.agent_id, d.place, d.task_id,
                      format('task %s, which is %s, did not read it', t.id, t.status) AS "error!",
                      t.status IN ('failed', 'dead') AS "counts!"
               FROM message_deliveries d JOIN tasks t ON t.id = d.task_id
               WHERE d.state = 'bound'
                 AND (t.status IN ('succeeded', 'failed', 'cancelled', 'dead') OR t.assigned_agent_id <> d.agent_id)
               LIMIT $1"#,
            PORTION,
        );
        let mut failed = missed.fetch_all(&self.pool).await?;
        let late = sqlx::query_as!(
            Failed,
            r#"SELECT agent_id, place, NULL::uuid AS task_id, 'its receiver did not acknowledge it in time' AS "error!",
                      true AS "counts!"
               FROM message_deliveries WHERE state = 'taken' AND visible_at <= now() LIMIT $1"#,
            PORTION,
        );
        failed.extend(late.fetch_all(&self.pool).await?);
        if !failed.is_empty() {
            self.give_back(&failed, &mut swept).await?;
        }
        self.let_receivers_in().await?;
        let agents = sqlx::query_scalar!(
            "SELECT DISTINCT d.agent_id FROM message_deliveries d
             JOIN inboxes i ON i.agent_id = d.agent_id AND NOT i.pulled
             JOIN agents a ON a.id = d.agent_id AND a.status = 'active'
             JOIN conversations m ON m.id = d.message_id
             WHERE d.state = 'pending' AND d.visible_at <= now()
               AND NOT EXISTS (SELECT 1 FROM sleeps s WHERE s.agent_id = d.agent_id AND s.state <> 'awake')
               -- What wakes nobody waits for a task that is there.
               AND (m.wakes AND m.hops < $2 AND NOT (m.message_type = 'answer' AND d.tries > 0) OR EXISTS (
                       SELECT 1 FROM tasks t
                       WHERE t.assigned_agent_id = d.agent_id AND t.status IN ('ready', 'running', 'waiting')
                         AND NOT t.verify_only
                         AND (t.status <> 'waiting' OR t.status_reason IN ('timer', 'answer'))))
             ORDER BY d.agent_id LIMIT $1",
            INBOXES,
            hive_domain::conversation::MOST_HOPS,
        );
        let agents = agents.fetch_all(&self.pool).await?;
        if !agents.is_empty() {
            let mut tx = self.pool.begin().await?;
            bind::lock_inboxes(&mut tx, &agents).await?;
            swept.bound = bind::bind(&mut tx, &agents, None).await?;
            tx.commit().await?;
        }
        meter::swept(&swept);
        Ok(swept)
    }

    async fn give_back(&self, failed: &[Failed], swept: &mut Swept) -> Result<()> {
        let mut agents: Vec<Uuid> = failed.iter().map(|failed| failed.agent_id).collect();
        agents.sort_unstable();
        agents.dedup();
        let mut tasks: Vec<Uuid> = failed.iter().filter_map(|failed| failed.task_id).collect();
        tasks.sort_unstable();
        tasks.dedup();
        let mut tx = self.pool.begin().await?;
        bind::lock_inboxes(&mut tx, &agents).await?;
        let held =
            sqlx::query!("SELECT id FROM tasks WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", &tasks);
        held.fetch_all(&mut *tx).await?;
        let rows = sqlx::query!(
            r#"UPDATE message_deliveries d
               SET state = CASE WHEN d.tries >= i.max_tries THEN 'dead'::delivery_state ELSE 'pending' END,
                   died_at = CASE WHEN d.tries >= i.max_tries THEN now() END,
                   task_id = NULL, wants_task = NULL, last_error = g.error,
                   visible_at = now() + make_interval(secs => least($6 * 2 ^ (d.tries - 1), $7))
               FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::boolean[])
                        AS g (agent_id, place, task_id, error, counts)
               JOIN inboxes i ON i.agent_id = g.agent_id
               WHERE d.agent_id = g.agent_id AND d.place = g.place
                 AND (d.state = 'taken' AND d.visible_at <= now() OR d.state = 'bound' AND d.task_id = g.task_id)
               RETURNING d.agent_id, d.message_id, d.state::text AS "state!", g.task_id, g.counts AS "counts!""#,
            &failed.iter().map(|failed| failed.agent_id).collect::<Vec<_>>(),
            &failed.iter().map(|failed| failed.place).collect::<Vec<_>>(),
            &failed.iter().map(|failed| failed.task_id).collect::<Vec<_>>() as &[Option<Uuid>],
            &failed.iter().map(|failed| failed.error.clone()).collect::<Vec<_>>(),
            &failed.iter().map(|failed| failed.counts).collect::<Vec<_>>(),
            PAUSE_SECONDS.0,
            PAUSE_SECONDS.1,
        );
        let rows = rows.fetch_all(&mut *tx).await?;
        let unbound: Vec<Uuid> = rows.iter().filter_map(|row| row.task_id).collect();
        sqlx::query!(
            "UPDATE tasks SET mail = greatest(mail - g.number, 0)
             FROM (SELECT id, count(*)::integer AS number FROM unnest($1::uuid[]) AS id GROUP BY id) AS g
             WHERE tasks.id = g.id",
            &unbound,
        )
        .execute(&mut *tx)
        .await?;
        // One pull, or one run, that fails with many messages fails once.
        let counting: BTreeSet<(Uuid, Option<Uuid>)> =
            rows.iter().filter(|row| row.counts).map(|row| (row.agent_id, row.task_id)).collect();
        let counting: Vec<Uuid> = counting.into_iter().map(|(agent, _)| agent).collect();
        let opened = sqlx::query_scalar!(
            "UPDATE inboxes
             SET failures = failures + g.number, failed_at = now(),
                 open_until = CASE WHEN failures + g.number < $2 THEN open_until
                                   ELSE now() + make_interval(
                                       secs => least($3 * 2 ^ least((failures + g.number) / $2 - 1, 10), $4)) END
             FROM (SELECT agent_id, count(*)::integer AS number FROM unnest($1::uuid[]) AS agent_id GROUP BY 1) AS g
             WHERE inboxes.agent_id = g.agent_id
             RETURNING CASE WHEN failures >= $2 THEN inboxes.agent_id END",
            &counting,
            BREAKER,
            OPEN_SECONDS.0,
            OPEN_SECONDS.1,
        );
        let opened = opened.fetch_all(&mut *tx).await?;
        tx.commit().await?;
        swept.opened = opened.into_iter().flatten().map(Into::into).collect();
        for row in rows {
            if row.state == "dead" {
                swept.dead.push((row.agent_id.into(), row.message_id.into()));
            } else {
                swept.again += 1;
            }
        }
        Ok(())
    }

    /// What arrived since the last failure closes the breaker of a receiver.
    async fn let_receivers_in(&self) -> Result<()> {
        sqlx::query!(
            "UPDATE inboxes i SET failures = 0, failed_at = NULL, open_until = NULL
             WHERE i.failures > 0 AND EXISTS (
                 SELECT 1 FROM message_deliveries d
                 WHERE d.agent_id = i.agent_id AND d.state = 'acknowledged' AND d.acknowledged_at > i.failed_at)",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
