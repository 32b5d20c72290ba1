//! A task's own limit on money becomes a budget when the task gets its first child: from then on others spend of it
//! too. A task without children has no such row, and its calls cost no further statement.

use hive_domain::{BudgetPeriod, BudgetScope, NanoUsd, TaskId};

use super::BudgetKey;
use crate::{error::Result, pool::Store};

/// Who set a budget that came of a limit.
const ACTOR: &str = "limits";

impl Store {
    /// Makes a budget of the own limit of each of these tasks that has one and no budget yet. Called before children are
    /// accepted; a budget without children changes nothing.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn share_limits(&self, parents: &[TaskId]) -> Result<()> {
        if parents.is_empty() {
            return Ok(());
        }
        let unshared = sqlx::query!(
            r#"SELECT t.id, least((t.limits ->> 'max_cost_usd')::numeric,
                                  (v.limits ->> 'max_cost_usd')::numeric)::float8 AS cap
               FROM tasks t
               LEFT JOIN agents a ON a.id = t.assigned_agent_id
               LEFT JOIN agent_versions v ON v.agent_id = a.id AND v.version = coalesce(t.agent_version, a.version)
               WHERE t.id = ANY ($1)
                 AND NOT EXISTS (SELECT 1 FROM budgets b WHERE b.target = t.id AND b.period = 'total')"#,
            &parents.iter().map(|id| id.uuid()).collect::<Vec<_>>(),
        );
        for row in unshared.fetch_all(&self.pool).await? {
            if let Some(cap) = row.cap.and_then(NanoUsd::from_usd) {
                let key = BudgetKey { scope: BudgetScope::Task, target: row.id, period: BudgetPeriod::Total };
                self.begin_budget(key, cap, ACTOR).await?;
            }
        }
        Ok(())
    }
}
