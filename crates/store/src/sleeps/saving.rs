//! What nights save: tokens that a task takes before a night and after it.

use hive_domain::{AgentId, NanoUsd, SleepId};
use uuid::Uuid;

use crate::{error::Result, pool::Store};

/// What tasks that succeeded used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// How many tasks there were: what the mean is worth.
    pub tasks: i64,
    /// Tokens of a task in the mean, of all kinds, in and out; `None` without tasks.
    pub tokens_per_task: Option<f64>,
    /// What one cost in the mean.
    pub cost_per_task: Option<NanoUsd>,
}

/// A night with the day before it and the day after it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Saving {
    /// Tasks that ended between the night before and this one.
    pub before: Spent,
    /// Tasks that began after it, and ended before the next one or until now.
    pub after: Spent,
}

impl Store {
    /// The savings of these nights, which are over.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn savings(&self, agent: AgentId, sleeps: &[SleepId]) -> Result<Vec<(SleepId, Saving)>> {
        let rows = sqlx::query!(
            r#"SELECT s.id, b.tasks AS "before_tasks!", b.tokens AS before_tokens, b.cost AS before_cost,
                      d.tasks AS "after_tasks!", d.tokens AS after_tokens, d.cost AS after_cost
               FROM sleeps s
               CROSS JOIN LATERAL (SELECT max(woken_at) AS at FROM sleeps o
                                   WHERE o.agent_id = s.agent_id AND o.began_at < s.began_at) AS last
               CROSS JOIN LATERAL (SELECT min(began_at) AS at FROM sleeps o
                                   WHERE o.agent_id = s.agent_id AND o.began_at > s.began_at) AS next
               CROSS JOIN LATERAL (
                   SELECT count(*) AS tasks, avg(t.cost_nano_usd)::bigint AS cost,
                          avg(t.input_tokens + t.output_tokens + t.cache_read_tokens + t.cache_write_tokens)::float8
                              AS tokens
                   FROM tasks t
                   WHERE t.assigned_agent_id = s.agent_id AND t.status = 'succeeded'
                     AND t.completed_at > coalesce(last.at, '-infinity') AND t.completed_at <= s.began_at) AS b
               CROSS JOIN LATERAL (
                   SELECT count(*) AS tasks, avg(t.cost_nano_usd)::bigint AS cost,
                          avg(t.input_tokens + t.output_tokens + t.cache_read_tokens + t.cache_write_tokens)::float8
                              AS tokens
                   FROM tasks t
                   WHERE t.assigned_agent_id = s.agent_id AND t.status = 'succeeded' AND t.started_at >= s.woken_at
                     AND t.completed_at >= s.woken_at AND t.completed_at < coalesce(next.at, 'infinity')) AS d
               WHERE s.agent_id = $1 AND s.id = ANY ($2) AND s.state = 'awake'"#,
            agent.uuid(),
            &sleeps.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>(),
        );
        let spent = |tasks, tokens_per_task, cost: Option<i64>| Spent {
            tasks,
            tokens_per_task,
            cost_per_task: cost.map(NanoUsd),
        };
        let rows = rows.fetch_all(&self.pool).await?.into_iter();
        Ok(rows
            .map(|row| {
                let before = spent(row.before_tasks, row.before_tokens, row.before_cost);
                let after = spent(row.after_tasks, row.after_tokens, row.after_cost);
                (row.id.into(), Saving { before, after })
            })
            .collect())
    }
}
