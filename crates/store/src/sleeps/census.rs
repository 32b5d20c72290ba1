//! How many agents sleep, and what nights save: for dashboards.

use hive_domain::SleepState;

use super::Spent;
use crate::{
    error::{Error, Result},
    pool::Store,
};

/// What is known of all of them.
#[derive(Clone, Debug, Default)]
pub struct SleepCensus {
    /// Agents that are not awake, by where they stand.
    pub states: Vec<(SleepState, i64)>,
    /// Seconds by which the one is late that is most so, that should be awake by now; 0 when none is.
    pub late_seconds: f64,
    /// Tasks of the day before the last night of each agent.
    pub before: Spent,
    /// Tasks since.
    pub after: Spent,
}

impl Store {
    /// One look.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn sleep_census(&self) -> Result<SleepCensus> {
        let rows = sqlx::query!(
            r#"SELECT state::text AS "state!", count(*) AS "count!",
                      extract(epoch FROM max(now() - wake_by))::float8 AS "late!"
               FROM sleeps WHERE state <> 'awake' GROUP BY state"#
        );
        let mut census = SleepCensus::default();
        for row in rows.fetch_all(&self.pool).await? {
            let state = row.state.parse();
            let state = state.map_err(|e| Error::inconsistent("sleeps", "state", "census", e))?;
            census.states.push((state, row.count));
            census.late_seconds = census.late_seconds.max(row.late);
        }
        let spent = sqlx::query!(
            r#"WITH night AS (
                   SELECT DISTINCT ON (agent_id) agent_id, began_at, woken_at,
                          lead(woken_at) OVER (PARTITION BY agent_id ORDER BY began_at DESC) AS last_at
                   FROM sleeps WHERE state = 'awake' ORDER BY agent_id, began_at DESC
               ), used AS (
                   SELECT t.started_at >= n.woken_at AS is_after,
                          t.input_tokens + t.output_tokens + t.cache_read_tokens + t.cache_write_tokens AS tokens
                   FROM night n JOIN tasks t ON t.assigned_agent_id = n.agent_id AND t.status = 'succeeded'
                     AND t.completed_at > coalesce(n.last_at, '-infinity')
                     AND (t.completed_at <= n.began_at OR t.started_at >= n.woken_at)
               )
               SELECT is_after AS "is_after!", count(*) AS "tasks!", avg(tokens)::float8 AS "tokens!"
               FROM used GROUP BY is_after"#
        );
        for row in spent.fetch_all(&self.pool).await? {
            let spent = if row.is_after { &mut census.after } else { &mut census.before };
            *spent = Spent { tasks: row.tasks, tokens_per_task: Some(row.tokens), cost_per_task: None };
        }
        Ok(census)
    }
}
