//! How full the budgets are: for dashboards and alarms, without naming any.

use crate::{error::Result, pool::Store};

/// Budgets by how full they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BudgetCensus {
    /// Less than four fifths are spent and reserved.
    pub open: i64,
    /// Four fifths or more.
    pub near: i64,
    /// The cap is spent, or a task waits for room.
    pub reached: i64,
    /// What part of the organisation's cap of the day is spent and reserved; 0 without one.
    pub org_day: f64,
    /// The same of its cap for good.
    pub org_total: f64,
}

impl Store {
    /// Counts all budgets.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn budget_census(&self) -> Result<BudgetCensus> {
        let census = sqlx::query_as!(
            BudgetCensus,
            r#"SELECT count(*) FILTER (WHERE state = 'open') AS "open!", count(*) FILTER (WHERE state = 'near') AS "near!",
                      count(*) FILTER (WHERE state = 'reached') AS "reached!",
                      coalesce(max(part) FILTER (WHERE scope = 'org' AND period = 'day'), 0)::float8 AS "org_day!",
                      coalesce(max(part) FILTER (WHERE scope = 'org' AND period = 'total'), 0)::float8 AS "org_total!"
               FROM (SELECT scope, period, used / greatest(cap_nano_usd, 1)::numeric AS part,
                            CASE WHEN spent >= cap_nano_usd OR EXISTS (
                                          SELECT 1 FROM tasks t
                                          WHERE t.status = 'waiting' AND t.status_reason = 'budget'
                                            AND t.budget_id = b.id) THEN 'reached'
                                 WHEN used >= 0.8 * cap_nano_usd THEN 'near'
                                 ELSE 'open' END AS state
                     FROM budgets b
                     CROSS JOIN LATERAL (
                         SELECT CASE WHEN b.period = 'day' AND b.day < (now() AT TIME ZONE 'UTC')::date THEN 0
                                     ELSE b.spent_nano_usd END AS spent) AS s
                     CROSS JOIN LATERAL (SELECT s.spent + b.reserved_nano_usd AS used) AS u) AS seen"#,
        );
        Ok(census.fetch_one(&self.pool).await?)
    }
}
