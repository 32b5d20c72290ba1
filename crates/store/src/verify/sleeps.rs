//! Nights of agents: nobody sleeps for ever, and what was told in the morning is in a journal.

use super::{Checked, KEPT, Rows, Violation};
use crate::{error::Result, pool::Store};

impl Store {
    /// Looks at every night. A violation of the first two names no task; its evidence names the agent.
    ///
    /// # Errors
    /// When Postgres refuses or a statement takes longer than it may.
    pub async fn verify_sleeps(&self) -> Result<Vec<Checked>> {
        let looked_at = sqlx::query_scalar!(r#"SELECT count(*) AS "nights!" FROM sleeps"#);
        let looked_at = looked_at.fetch_one(&self.pool).await?;
        let late = sqlx::query_as!(
            Violation,
            r#"SELECT '00000000-0000-0000-0000-000000000000'::uuid AS "task!",
                      format('agent %s is %s although it should have been awake %s s ago', agent_id, state,
                             round(extract(epoch FROM now() - wake_by))) AS "evidence!"
               FROM sleeps WHERE state <> 'awake' AND wake_by < now() - interval '1 min' ORDER BY agent_id"#
        );
        let stuck = sqlx::query_as!(
            Violation,
            r#"SELECT '00000000-0000-0000-0000-000000000000'::uuid AS "task!",
                      format('agent %s is %s for %s s', agent_id, state,
                             round(extract(epoch FROM now() - coalesce(waking_at, began_at)))) AS "evidence!"
               FROM sleeps
               WHERE state = 'falling_asleep' AND falls_by < now() - interval '1 min'
                  OR state = 'waking' AND waking_at < now() - interval '1 min'
               ORDER BY agent_id"#
        );
        let untold = sqlx::query_as!(
            Violation,
            r#"SELECT s.briefed_task AS "task!", format('entry %s does not hold the briefing of night %s', s.briefed_step, s.id)
                      AS "evidence!"
               FROM sleeps s
               WHERE s.briefed_at IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM steps j
                                 WHERE j.task_id = s.briefed_task AND j.seq = s.briefed_step AND j.kind = 'briefing'
                                   AND j.body ->> 'sleep' = s.id::text)
                 AND NOT EXISTS (SELECT 1 FROM journal_weeks w
                                 WHERE w.dropped_at IS NOT NULL AND s.briefed_task >= w.first_id
                                   AND s.briefed_task < w.past_id)
               ORDER BY s.id"#
        );
        Ok(vec![
            checked(
                "slept_past",
                "no agent sleeps a minute past its latest time",
                looked_at,
                late.fetch_all(&self.pool).await?,
            ),
            checked(
                "sleep_stuck",
                "no agent falls asleep or wakes for a minute longer than that may take",
                looked_at,
                stuck.fetch_all(&self.pool).await?,
            ),
            checked(
                "briefing_in_journal",
                "what was told after a night stands in the journal that the night names",
                looked_at,
                untold.fetch_all(&self.pool).await?,
            ),
        ])
    }
}

fn checked(
    name: &'static str,
    says: &'static str,
    looked_at: i64,
    mut violations: Vec<Violation>,
) -> Checked {
    let found = violations.len();
    violations.truncate(KEPT);
    Checked { name, says, rows: Rows::Nights, looked_at, found, violations }
}
