//! Budgets hold what open calls hold, have spent what the ledger says, and stop where they should. The ledger's days hold
//! what its calls say.

use sqlx::PgPool;
use uuid::Uuid;

use super::{Checked, KEPT, Rows, Violation};
use crate::{error::Result, pool::Store};

/// What one of the checks found.
struct Found {
    evidence: String,
}

impl Store {
    /// Looks at every budget, and at every day of which no week was dropped. A violation names no task; its evidence names
    /// the budget or the day.
    ///
    /// # Errors
    /// When Postgres refuses or a statement takes longer than it may.
    pub async fn verify_budgets(&self) -> Result<Vec<Checked>> {
        let budgets = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM budgets"#);
        let budgets = budgets.fetch_one(&self.pool).await?;
        let days = sqlx::query_scalar!(r#"SELECT count(DISTINCT day) AS "count!" FROM usage_days"#);
        let days = days.fetch_one(&self.pool).await?;
        Ok(vec![
            checked(
                "budget_reservations",
                "a budget holds what its open calls may cost",
                budgets,
                reservations(&self.pool).await?,
            ),
            checked(
                "budget_spent",
                "a budget has spent what the ledger says",
                budgets,
                spent(&self.pool).await?,
            ),
            checked(
                "budget_over_cap",
                "no budget is over its cap by more than a call",
                budgets,
                over(&self.pool).await?,
            ),
            checked(
                "usage_days",
                "the days of the ledger are the sums of the calls",
                days,
                days_differ(&self.pool).await?,
            ),
        ])
    }
}

fn checked(name: &'static str, says: &'static str, looked_at: i64, found: Vec<Found>) -> Checked {
    let violation = |found: Found| Violation { task: Uuid::nil().into(), evidence: found.evidence };
    Checked {
        name,
        says,
        rows: if name == "usage_days" { Rows::Days } else { Rows::Budgets },
        looked_at,
        found: found.len(),
        violations: found.into_iter().take(KEPT).map(violation).collect(),
    }
}

async fn reservations(pool: &PgPool) -> Result<Vec<Found>> {
    let found = sqlx::query_as!(
        Found,
        r#"SELECT format('budget %s of %s %s (%s) holds %s nano-USD, its open calls %s', b.id, b.scope, b.target, b.period,
                         b.reserved_nano_usd, coalesce(o.held, 0)) AS "evidence!"
           FROM budgets b
           LEFT JOIN (SELECT u.id, sum(c.reserved_nano_usd) AS held
                      FROM (SELECT reserved_nano_usd, budgets FROM llm_calls WHERE state = 'intent'
                            UNION ALL
                            SELECT reserved_nano_usd, budgets FROM batch_calls WHERE state = 'intent') AS c
                      CROSS JOIN unnest(c.budgets) AS u (id)
                      GROUP BY u.id) AS o ON o.id = b.id
           WHERE b.reserved_nano_usd <> coalesce(o.held, 0)"#,
    );
    Ok(found.fetch_all(pool).await?)
}

async fn spent(pool: &PgPool) -> Result<Vec<Found>> {
    let found = sqlx::query_as!(
        Found,
        r#"SELECT format('budget %s of %s %s (%s) has spent %s nano-USD, the ledger says %s', b.id, b.scope, b.target,
                         b.period, b.spent_nano_usd, l.spent) AS "evidence!"
           FROM budgets b
           CROSS JOIN LATERAL (
               SELECT CASE WHEN b.scope = 'task' THEN spent_of_tree(b.target, b.period = 'day')
                           ELSE (SELECT coalesce(sum(u.cost_nano_usd + u.unknown_nano_usd), 0)::bigint FROM usage_days u
                                 WHERE (b.period = 'total' OR u.day = b.day)
                                   AND (b.scope = 'org' OR b.scope = 'agent' AND u.agent_id = b.target
                                        OR b.scope = 'session' AND u.session_id = b.target)) END AS spent) AS l
           WHERE b.spent_nano_usd <> l.spent
             -- One whose day is to come has booked what was spent since the clock of the database was ahead.
             AND (b.period = 'total' OR b.day <= (now() AT TIME ZONE 'UTC')::date)
             -- The tree of a task is reckoned for the day of today alone, and while its journal is there.
             AND (b.scope <> 'task'
                  OR (b.period = 'total' OR b.day = (now() AT TIME ZONE 'UTC')::date)
                     AND NOT EXISTS (SELECT 1 FROM journal_weeks w
                                     WHERE w.dropped_at IS NOT NULL AND w.past_id > b.target))"#,
    );
    Ok(found.fetch_all(pool).await?)
}

async fn over(pool: &PgPool) -> Result<Vec<Found>> {
    let found = sqlx::query_as!(
        Found,
        r#"SELECT format('budget %s of %s %s (%s) has a cap of %s nano-USD, spent %s and holds %s', b.id, b.scope, b.target,
                         b.period, b.cap_nano_usd, b.spent_nano_usd, b.reserved_nano_usd) AS "evidence!"
           FROM budgets b
           WHERE b.spent_nano_usd + b.reserved_nano_usd
                 > greatest(b.cap_nano_usd, CASE WHEN b.period = 'total' OR b.set_day = b.day THEN b.set_used_nano_usd END)
                   + greatest((SELECT coalesce(max(c.cost_nano_usd), 0) FROM llm_calls c WHERE b.id = ANY (c.budgets)),
                              (SELECT coalesce(max(c.cost_nano_usd), 0) FROM batch_calls c WHERE b.id = ANY (c.budgets)))"#,
    );
    Ok(found.fetch_all(pool).await?)
}

async fn days_differ(pool: &PgPool) -> Result<Vec<Found>> {
    let found = sqlx::query_as!(
        Found,
        r#"SELECT format('on %s the ledger says %s calls for %s nano-USD, the calls of the day are %s for %s',
                         coalesce(u.day, c.day), u.calls, u.cost, c.calls, c.cost) AS "evidence!"
           FROM (SELECT day, sum(calls) AS calls, sum(cost_nano_usd) AS cost, sum(unknown_nano_usd) AS assumed
                 FROM usage_days GROUP BY day) AS u
           FULL JOIN (SELECT (finished_at AT TIME ZONE 'UTC')::date AS day, count(*) AS calls, sum(cost_nano_usd) AS cost,
                             sum(CASE WHEN state = 'unknown' THEN reserved_nano_usd ELSE 0 END) AS assumed
                      FROM (SELECT finished_at, cost_nano_usd, state, reserved_nano_usd FROM llm_calls
                            UNION ALL
                            SELECT finished_at, cost_nano_usd, state, reserved_nano_usd FROM batch_calls) AS every
                      WHERE state <> 'intent' GROUP BY 1) AS c ON c.day = u.day
           WHERE (coalesce(u.calls, 0), coalesce(u.cost, 0), coalesce(u.assumed, 0))
                 IS DISTINCT FROM (coalesce(c.calls, 0), coalesce(c.cost, 0), coalesce(c.assumed, 0))
             -- Days of tasks whose week was dropped have lost calls.
             AND (coalesce(c.calls, 0) > coalesce(u.calls, 0)
                  OR NOT EXISTS (SELECT 1 FROM journal_weeks WHERE dropped_at IS NOT NULL))"#,
    );
    Ok(found.fetch_all(pool).await?)
}
