//! Agents that fall asleep by themselves: those that have nothing to do, and those to whom much has happened.

use hive_domain::{AgentId, SleepTrigger, Sleepers};

use super::{PutToSleep, begin};
use crate::{error::Result, pool::Store};

/// Agents that one pass puts to sleep, for each trigger.
const PORTION: i64 = 50;

impl Store {
    /// One look. Any number may look at the same time. While the fleet is paused, nobody falls asleep by themselves.
    ///
    /// # Errors
    /// When Postgres refuses; the next look does it.
    pub async fn sleep_by_themselves(&self) -> Result<Vec<PutToSleep>> {
        let mut put = Vec::new();
        for (trigger, agents) in
            [(SleepTrigger::Pressure, self.under_pressure().await?), (SleepTrigger::Idle, self.idle().await?)]
        {
            if agents.is_empty() {
                continue;
            }
            let whom = Sleepers::AgentIds(agents);
            let mut tx = self.pool.begin().await?;
            let begun = begin::begin(&mut tx, &whom, trigger, trigger.as_str()).await?;
            tx.commit().await?;
            put.push(begun);
        }
        Ok(put)
    }

    /// Agents whose last night is followed by so many entries or steps.
    async fn under_pressure(&self) -> Result<Vec<AgentId>> {
        let agents = sqlx::query_scalar!(
            "SELECT w.agent_id FROM sleep_settings w
             JOIN agents a ON a.id = w.agent_id AND a.status = 'active'
             CROSS JOIN LATERAL (SELECT coalesce(max(began_at), a.created_at) AS since FROM sleeps
                                 WHERE agent_id = a.id) AS last
             WHERE NOT EXISTS (SELECT 1 FROM sleeps s WHERE s.agent_id = a.id AND s.state <> 'awake')
               AND NOT (SELECT fleet FROM open_pauses)
               -- The Nth newest is as new as that, so all N are.
               AND (w.pressure_entries IS NOT NULL AND coalesce(
                        (SELECT c.recorded_at FROM contexts c
                         WHERE c.agent_id = a.id AND c.born_version IS NULL
                         ORDER BY c.recorded_at DESC OFFSET w.pressure_entries - 1 LIMIT 1) > last.since, false)
                    OR w.pressure_steps IS NOT NULL AND (
                        SELECT count(*) FROM (
                            SELECT 1 FROM tasks t JOIN steps s ON s.task_id = t.id AND s.created_at > last.since
                            WHERE t.assigned_agent_id = a.id
                              AND (t.completed_at > last.since OR t.status IN ('ready', 'running', 'waiting'))
                            LIMIT w.pressure_steps) AS counted) >= w.pressure_steps)
             ORDER BY w.agent_id LIMIT $1",
            PORTION,
        );
        Ok(agents.fetch_all(&self.pool).await?.into_iter().map(Into::into).collect())
    }

    /// Agents that have had no task for so long and something to think over: a task that ended or an entry that came
    /// since their last night.
    async fn idle(&self) -> Result<Vec<AgentId>> {
        let agents = sqlx::query_scalar!(
            "SELECT w.agent_id FROM sleep_settings w
             JOIN agents a ON a.id = w.agent_id AND a.status = 'active'
             CROSS JOIN LATERAL (SELECT coalesce(max(began_at), a.created_at) AS since FROM sleeps
                                 WHERE agent_id = a.id) AS last
             CROSS JOIN LATERAL (
                 SELECT greatest((SELECT max(t.completed_at) FROM tasks t
                                  WHERE t.assigned_agent_id = a.id AND t.completed_at IS NOT NULL),
                                 (SELECT c.recorded_at FROM contexts c
                                  WHERE c.agent_id = a.id AND c.born_version IS NULL
                                  ORDER BY c.recorded_at DESC LIMIT 1)) AS at) AS newest
             WHERE w.idle_seconds IS NOT NULL AND NOT (SELECT fleet FROM open_pauses)
               AND NOT EXISTS (SELECT 1 FROM sleeps s WHERE s.agent_id = a.id AND s.state <> 'awake')
               AND NOT EXISTS (SELECT 1 FROM tasks t
                               WHERE t.assigned_agent_id = a.id AND t.status IN ('ready', 'running', 'waiting'))
               AND newest.at > last.since AND newest.at <= now() - make_interval(secs => w.idle_seconds)
             ORDER BY w.agent_id LIMIT $1",
            PORTION,
        );
        Ok(agents.fetch_all(&self.pool).await?.into_iter().map(Into::into).collect())
    }
}
