//! Waking: when the cycle ended, when work came that cannot wait, when a person says so, and at the latest time.

use hive_domain::{AgentId, SleepId, Sleepers, WakeReason, conversation::MOST_HOPS};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Sleep, begin::meant, select_sleeps};
use crate::{
    error::{Error, Result},
    once::Once,
    pool::Store,
};

/// Agents that one pass wakes.
const PORTION: i64 = 200;

/// What became of a wish that agents wake.
#[derive(Clone, Debug, Default)]
pub struct Awakened {
    /// Nights that end now.
    pub waking: Vec<Sleep>,
    /// Agents that did not sleep.
    pub awake: Vec<AgentId>,
}

impl Store {
    /// Begins to wake whoever has slept enough. Any number may do it at the same time.
    ///
    /// # Errors
    /// When Postgres refuses; the next pass does it.
    pub async fn begin_to_wake(&self) -> Result<Vec<(SleepId, WakeReason)>> {
        let rows = sqlx::query!(
            r#"WITH due AS (
                   SELECT s.id, CASE WHEN why.ended THEN 'cycle_ended' WHEN why.without THEN 'no_cycle'
                                     WHEN why.urgent THEN 'urgent' ELSE 'wake_by' END::wake_reason AS reason
                   FROM sleeps s
                   CROSS JOIN LATERAL (
                       SELECT EXISTS (SELECT 1 FROM sleep_cycles c
                                      WHERE c.id = s.cycle_id AND c.finished_at IS NOT NULL) AS ended,
                              s.state = 'asleep' AND s.cycle_id IS NULL AS without,
                              EXISTS (SELECT 1 FROM tasks t
                                      WHERE t.assigned_agent_id = s.agent_id AND t.status IN ('ready', 'running')
                                        AND (t.priority <= 2 OR t.deadline <= s.wake_by))
                              OR EXISTS (SELECT 1 FROM message_deliveries d JOIN conversations m ON m.id = d.message_id
                                         JOIN inboxes i ON i.agent_id = d.agent_id AND NOT i.pulled
                                         WHERE d.agent_id = s.agent_id AND d.state = 'pending' AND d.visible_at <= now()
                                           AND m.wakes AND m.hops < $2 AND m.priority <= 2) AS urgent) AS why
                   WHERE s.state IN ('falling_asleep', 'asleep')
                     AND (why.ended OR why.without OR why.urgent OR s.wake_by <= now())
                   ORDER BY s.agent_id LIMIT $1 FOR NO KEY UPDATE OF s SKIP LOCKED
               ), sleep AS (
                   UPDATE sleeps s
                   SET state = 'waking', waking_at = now(), wake_reason = due.reason, event_seq = event_seq + 1
                   FROM due WHERE s.id = due.id
                   RETURNING s.id, s.event_seq, s.wake_reason
               ), event AS (
                   INSERT INTO sleep_events (sleep_id, seq, kind, data)
                   SELECT id, event_seq, 'waking', jsonb_build_object('reason', wake_reason) FROM sleep
               )
               SELECT id, wake_reason::text AS "reason!" FROM sleep"#,
            PORTION,
            MOST_HOPS,
        );
        let rows = rows.fetch_all(&self.pool).await?;
        rows.into_iter()
            .map(|row| {
                let reason = row.reason.parse();
                let reason = reason.map_err(|e| Error::inconsistent("sleeps", "wake_reason", row.id, e))?;
                Ok((row.id.into(), reason))
            })
            .collect()
    }

    /// Wakes agents, whatever their cycles do.
    ///
    /// # Errors
    /// [`Error::Invalid`] when an agent, a type or a role does not exist.
    pub async fn wake(&self, whom: &Sleepers, actor: &str) -> Result<Awakened> {
        let mut tx = self.pool.begin().await?;
        let awakened = wake(&mut tx, whom, actor).await?;
        tx.commit().await?;
        Ok(awakened)
    }
}

impl Once {
    /// See [`Store::wake`].
    ///
    /// # Errors
    /// As there.
    pub async fn wake(&mut self, whom: &Sleepers, actor: &str) -> Result<Awakened> {
        wake(self.connection()?, whom, actor).await
    }
}

async fn wake(connection: &mut PgConnection, whom: &Sleepers, actor: &str) -> Result<Awakened> {
    let agents = meant(&mut *connection, whom).await?;
    let begun = sqlx::query_scalar!(
        r#"WITH due AS (
               SELECT id FROM sleeps WHERE agent_id = ANY ($1) AND state IN ('falling_asleep', 'asleep')
               ORDER BY agent_id FOR NO KEY UPDATE
           ), sleep AS (
               UPDATE sleeps s
               SET state = 'waking', waking_at = now(), wake_reason = 'requested', event_seq = event_seq + 1
               FROM due WHERE s.id = due.id
               RETURNING s.id, s.event_seq, s.wake_reason
           ), event AS (
               INSERT INTO sleep_events (sleep_id, seq, kind, data)
               SELECT id, event_seq, 'waking', jsonb_build_object('reason', wake_reason, 'requested_by', $2::text)
               FROM sleep
           )
           SELECT id AS "id!" FROM sleep"#,
        &agents,
        actor,
    );
    let begun: Vec<Uuid> = begun.fetch_all(&mut *connection).await?;
    let waking = select_sleeps!("WHERE s.id = ANY ($1) ORDER BY s.agent_id", &begun);
    let waking: Vec<Sleep> =
        waking.fetch_all(connection).await?.into_iter().map(Sleep::try_from).collect::<Result<_>>()?;
    let slept: Vec<Uuid> = waking.iter().map(|sleep| sleep.agent.uuid()).collect();
    let awake = agents.into_iter().filter(|agent| !slept.contains(agent)).map(Into::into).collect();
    Ok(Awakened { waking, awake })
}
