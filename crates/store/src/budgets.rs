//! Budgets: money as a lock. What a call may cost is reserved before it is sent (`reserve`), booked by the trigger
//! `settle_calls` in the transaction of its answer, and what found no room waits (`wake`).

mod census;
pub(crate) mod reserve;
mod share;
mod wake;

use chrono::{DateTime, NaiveDate, Utc};
use hive_domain::{Budget, BudgetPeriod, BudgetScope, NanoUsd};
use uuid::Uuid;

pub use census::BudgetCensus;

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// Which budget: of what, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetKey {
    /// What it covers.
    pub scope: BudgetScope,
    /// The session, the agent or the task; all zeros for [`BudgetScope::Org`].
    pub target: Uuid,
    /// How long it lasts.
    pub period: BudgetPeriod,
}

/// A row as it is read.
pub(crate) struct BudgetRow {
    pub(crate) id: Uuid,
    pub(crate) scope: String,
    pub(crate) target: Uuid,
    pub(crate) period: String,
    pub(crate) cap_nano_usd: i64,
    pub(crate) spent_nano_usd: i64,
    pub(crate) reserved_nano_usd: i64,
    pub(crate) day: NaiveDate,
}

/// A budget, and who set it.
#[derive(Clone, Debug)]
pub struct ListedBudget {
    /// The budget.
    pub budget: Budget,
    /// Who set it first; `limits` for one that came of a task's own limit and that nobody has set since.
    pub created_by: String,
    /// When a call, a new child or a person last changed it.
    pub updated_at: DateTime<Utc>,
    /// Tasks that wait for it, counted up to 1,000.
    pub waiting: i64,
}

impl BudgetRow {
    pub(crate) fn budget(self) -> Result<Budget> {
        let wrong = |column| move |error| Error::inconsistent("budgets", column, self.id, error);
        Ok(Budget {
            id: self.id,
            scope: self.scope.parse().map_err(wrong("scope"))?,
            target: self.target,
            period: self.period.parse().map_err(wrong("period"))?,
            cap: NanoUsd(self.cap_nano_usd),
            spent: NanoUsd(self.spent_nano_usd),
            reserved: NanoUsd(self.reserved_nano_usd),
            day: self.day,
        })
    }
}

impl Store {
    /// Sets a cap. A new budget begins with what its scope has spent so far, of the day or ever, and takes on the calls
    /// in progress. A task that waits for a budget which now has room goes on at the next pass of a scheduler.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the session, the agent or the task does not exist.
    pub async fn set_budget(&self, key: BudgetKey, cap: NanoUsd, actor: &str) -> Result<Budget> {
        if let Some(budget) = self.change_cap(key, cap, actor).await? {
            return Ok(budget);
        }
        let found = sqlx::query_scalar!(
            r#"SELECT CASE $1 WHEN 'org' THEN true
                              WHEN 'session' THEN EXISTS (SELECT 1 FROM sessions WHERE id = $2)
                              WHEN 'agent' THEN EXISTS (SELECT 1 FROM agents WHERE id = $2)
                              ELSE EXISTS (SELECT 1 FROM tasks WHERE id = $2) END AS "found!""#,
            key.scope.as_str(),
            key.target,
        );
        if !found.fetch_one(&self.pool).await? {
            let message = format!("{} {} does not exist", key.scope, key.target);
            return Err(Error::Invalid { field: "/name", message });
        }
        self.begin_budget(key, cap, actor).await?;
        // Another caller may have set it at the same moment: the later cap holds.
        self.change_cap(key, cap, actor).await?.ok_or_else(Error::passing)
    }

    async fn change_cap(&self, key: BudgetKey, cap: NanoUsd, actor: &str) -> Result<Option<Budget>> {
        let row = sqlx::query_as!(
            BudgetRow,
            r#"UPDATE budgets
               SET raised_at = CASE WHEN $4 > cap_nano_usd THEN now() ELSE raised_at END,
                   exhausted_at = CASE WHEN $4 > cap_nano_usd THEN NULL ELSE exhausted_at END, cap_nano_usd = $4,
                   set_day = (now() AT TIME ZONE 'UTC')::date, set_used_nano_usd = spent_nano_usd + reserved_nano_usd,
                   -- From now on it is theirs, and stays when the tasks have ended.
                   created_by = CASE WHEN created_by = $6 THEN $5 ELSE created_by END, updated_at = now()
               WHERE scope = $1 AND target = $2 AND period = $3
               RETURNING id, scope, target, period, cap_nano_usd, reserved_nano_usd,
                         CASE WHEN period = 'day' AND day < (now() AT TIME ZONE 'UTC')::date THEN 0
                              ELSE spent_nano_usd END AS "spent_nano_usd!",
                         greatest(day, (now() AT TIME ZONE 'UTC')::date) AS "day!""#,
            key.scope.as_str(),
            key.target,
            key.period.as_str(),
            cap.0,
            actor,
            share::ACTOR,
        );
        row.fetch_optional(&self.pool).await?.map(BudgetRow::budget).transpose()
    }

    /// Makes the row, if it is not there. No call begins or ends meanwhile, so that each is counted once: by what was
    /// spent before or by the budget.
    pub(crate) async fn begin_budget(&self, key: BudgetKey, cap: NanoUsd, actor: &str) -> Result<()> {
        let id = Uuid::now_v7();
        let mut tx = self.pool.begin().await?;
        sqlx::query!("LOCK TABLE ONLY llm_calls IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
        sqlx::query!("LOCK TABLE ONLY batch_calls IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
        let made = sqlx::query!(
            "INSERT INTO budgets (id, scope, target, period, cap_nano_usd, spent_nano_usd, day, set_day, created_by)
             SELECT $1, $2, $3, $4, $5,
                    CASE WHEN $2 = 'task' THEN spent_of_tree($3, $4 = 'day')
                         ELSE (SELECT coalesce(sum(cost_nano_usd + unknown_nano_usd), 0) FROM usage_days
                               WHERE ($4 = 'total' OR day = (now() AT TIME ZONE 'UTC')::date)
                                 AND ($2 = 'org' OR $2 = 'agent' AND agent_id = $3 OR $2 = 'session' AND session_id = $3))
                    END,
                    (now() AT TIME ZONE 'UTC')::date, (now() AT TIME ZONE 'UTC')::date, $6
             ON CONFLICT (target, scope, period) DO NOTHING",
            id,
            key.scope.as_str(),
            key.target,
            key.period.as_str(),
            cap.0,
            actor,
        );
        if made.execute(&mut *tx).await?.rows_affected() == 1 {
            // Their money is reserved by the trigger that books them.
            sqlx::query!(
                "UPDATE llm_calls c SET budgets = array_append(c.budgets, $1::uuid)
                 FROM tasks t
                 WHERE c.state = 'intent' AND t.id = c.task_id
                   AND $2 = ANY (budget_targets(t.id, t.parent_id, t.assigned_agent_id, t.session_id))",
                id,
                key.target,
            )
            .execute(&mut *tx)
            .await?;
            sqlx::query!(
                "UPDATE batch_calls c SET budgets = array_append(c.budgets, $1::uuid)
                 WHERE c.state = 'intent'
                   AND $2 = ANY (budget_targets(c.task_id, (SELECT t.parent_id FROM tasks t WHERE t.id = c.task_id),
                                                c.agent_id, c.session_id))",
                id,
                key.target,
            )
            .execute(&mut *tx)
            .await?;
            sqlx::query!(
                "UPDATE budgets SET set_used_nano_usd = spent_nano_usd + reserved_nano_usd WHERE id = $1",
                id
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Removes a budget; what waits for it goes on at the next pass of a scheduler. False when there was none.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn remove_budget(&self, key: BudgetKey) -> Result<bool> {
        let removed = sqlx::query!(
            "DELETE FROM budgets WHERE scope = $1 AND target = $2 AND period = $3",
            key.scope.as_str(),
            key.target,
            key.period.as_str(),
        );
        Ok(removed.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Budgets after `after`, by id, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn budgets(&self, after: Option<Uuid>, limit: i64) -> Result<Vec<ListedBudget>> {
        let rows = sqlx::query!(
            r#"SELECT b.id, b.scope, b.target, b.period, b.cap_nano_usd, b.reserved_nano_usd, b.created_by, b.updated_at,
                      CASE WHEN b.period = 'day' AND b.day < (now() AT TIME ZONE 'UTC')::date THEN 0
                           ELSE b.spent_nano_usd END AS "spent_nano_usd!",
                      greatest(b.day, (now() AT TIME ZONE 'UTC')::date) AS "day!",
                      (SELECT count(*) FROM (SELECT 1 FROM tasks t
                                             WHERE t.status = 'waiting' AND t.status_reason = 'budget'
                                               AND t.budget_id = b.id LIMIT 1000) AS counted) AS "waiting!"
               FROM budgets b WHERE b.id > $1 ORDER BY b.id LIMIT $2"#,
            after.unwrap_or_default(),
            limit,
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter().map(|row| {
            let budget = BudgetRow {
                id: row.id,
                scope: row.scope,
                target: row.target,
                period: row.period,
                cap_nano_usd: row.cap_nano_usd,
                spent_nano_usd: row.spent_nano_usd,
                reserved_nano_usd: row.reserved_nano_usd,
                day: row.day,
            };
            Ok(ListedBudget {
                budget: budget.budget()?,
                created_by: row.created_by,
                updated_at: row.updated_at,
                waiting: row.waiting,
            })
        });
        rows.collect()
    }
}
