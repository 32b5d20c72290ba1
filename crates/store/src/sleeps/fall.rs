//! Falling asleep: when nothing of the agent runs any more, or its time to fall asleep is over, it is asleep, and the
//! cycle begins in the same transaction.

use hive_domain::{
    AgentId, CycleBudget, CycleId, MemoryOwner, NanoUsd, SleepId, SleepSettings, SleepTrigger,
};

use crate::{
    error::{Error, Result},
    once::Once,
    pool::Store,
    sleep_cycles::{Begun, NewCycle},
};

/// Agents that one pass lets fall asleep.
const PORTION: usize = 50;
/// The longest that a cycle's record takes of who asked.
const ASKED_BY: usize = 255;

/// An agent that is asleep now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallen {
    /// The night.
    pub sleep: SleepId,
    /// Whose.
    pub agent: AgentId,
    /// What is done to its memory; `None` when no cycle could begin, and then it wakes.
    pub cycle: Option<CycleId>,
}

impl Store {
    /// One pass. Any number may run at the same time.
    ///
    /// # Errors
    /// When Postgres refuses; who is asleep by then stays so, and the next pass does the rest.
    pub async fn fall_asleep(&self) -> Result<Vec<Fallen>> {
        let mut all = Vec::new();
        while all.len() < PORTION {
            let mut once = self.alone().await?;
            let Some(fallen) = next(&mut once).await? else { break };
            once.commit().await?;
            all.push(fallen);
        }
        Ok(all)
    }
}

/// The next of them, and its cycle.
async fn next(once: &mut Once) -> Result<Option<Fallen>> {
    let row = sqlx::query!(
        r#"SELECT s.id, s.agent_id, s.trigger::text AS "trigger!", s.requested_by, a.project_id,
                  w.night_nano_usd AS "night_nano_usd?",
                  extract(epoch FROM s.wake_by - now())::float8 AS "left!",
                  (SELECT count(*) FROM tasks t WHERE t.assigned_agent_id = s.agent_id AND t.status = 'running')
                      AS "running!"
           FROM sleeps s JOIN agents a ON a.id = s.agent_id LEFT JOIN sleep_settings w ON w.agent_id = a.id
           WHERE s.state = 'falling_asleep'
             AND (s.falls_by <= now()
                  OR NOT EXISTS (SELECT 1 FROM tasks t
                                 WHERE t.assigned_agent_id = s.agent_id AND t.status = 'running'))
           ORDER BY s.agent_id LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED"#,
    )
    .fetch_optional(once.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let trigger: SleepTrigger =
        row.trigger.parse().map_err(|e| Error::inconsistent("sleeps", "trigger", row.id, e))?;
    let money = row.night_nano_usd.map_or_else(|| SleepSettings::default().night_money, NanoUsd);
    let new = NewCycle {
        id: CycleId::new(),
        owner: MemoryOwner::Agent(row.project_id.into(), row.agent_id.into()),
        trigger,
        asked_by: row.requested_by.chars().take(ASKED_BY).collect(),
        // No longer than the night: what does not fit is left to the next one.
        budget: CycleBudget { money: Some(money), minutes: minutes(row.left), ..CycleBudget::default() },
    };
    // One that somebody began for this memory is this night's, too.
    let cycle = match once.begin_cycle(&new).await {
        Ok(Begun::New(cycle) | Begun::Running(cycle)) => Some(cycle.id),
        // Nothing was written: the agent wakes again.
        Err(Error::Invalid { field, message }) => {
            tracing::warn!("Agent {} sleeps without a cycle: {field} {message}", row.agent_id);
            None
        }
        Err(error) => return Err(error),
    };
    sqlx::query!(
        "WITH sleep AS (
             UPDATE sleeps SET state = 'asleep', asleep_at = now(), cycle_id = $2, event_seq = event_seq + 1
             WHERE id = $1 AND state = 'falling_asleep'
             RETURNING id, event_seq
         )
         INSERT INTO sleep_events (sleep_id, seq, kind, data)
         SELECT id, event_seq, 'asleep', jsonb_build_object('cycle_id', $2::uuid, 'still_running', $3::bigint) FROM sleep",
        row.id,
        cycle.map(CycleId::uuid),
        row.running,
    )
    .execute(once.connection()?)
    .await?;
    Ok(Some(Fallen { sleep: row.id.into(), agent: row.agent_id.into(), cycle }))
}

/// Whole minutes of so many seconds, within what a cycle may have.
fn minutes(seconds: f64) -> i32 {
    // Down, so that the cycle ends by itself before it is left; within the bounds of an i32 by the clamp.
    (seconds / 60.0).clamp(1.0, 1_440.0) as i32
}
