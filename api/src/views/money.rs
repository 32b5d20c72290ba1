//! Budgets, and what was used.

use chrono::{DateTime, Utc};
use hive_domain::{BudgetPeriod, BudgetScope};
use hive_store::{ListedBudget, UsageSum};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A cap on money, and what is used of it. Dollars are exact to the billionth.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Budget)]
pub struct BudgetView {
    /// Its id, as in events of tasks.
    id: Uuid,
    /// `org`, `session`, `agent` or `task`.
    #[schema(value_type = String)]
    scope: BudgetScope,
    /// The session, the agent or the task; null for `org`.
    name: Option<Uuid>,
    /// `total`, or `day` (UTC).
    #[schema(value_type = String)]
    period: BudgetPeriod,
    /// The most that may be spent and reserved together.
    cap_usd: f64,
    /// What calls cost, and what those of unknown outcome may have cost at most.
    spent_usd: f64,
    /// What calls in progress may cost at most.
    reserved_usd: f64,
    /// Tasks that wait for it, counted up to 1,000.
    waiting: i64,
    /// When it has its whole cap again by itself.
    renews_at: Option<DateTime<Utc>>,
    /// Who set it first; `limits` for one that came of a task's own limit.
    created_by: String,
    /// When a call or a person last changed it.
    updated_at: DateTime<Utc>,
}

impl From<ListedBudget> for BudgetView {
    fn from(listed: ListedBudget) -> Self {
        let ListedBudget { budget, created_by, updated_at, waiting } = listed;
        Self {
            id: budget.id,
            scope: budget.scope,
            name: (budget.scope != BudgetScope::Org).then_some(budget.target),
            period: budget.period,
            cap_usd: budget.cap.usd(),
            spent_usd: budget.spent.usd(),
            reserved_usd: budget.reserved.usd(),
            waiting,
            renews_at: budget.renews_at(),
            created_by,
            updated_at,
        }
    }
}

/// Calls that ended, added up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageSum)]
pub struct UsageSumView {
    /// The day, the model, the id of the agent, the session or the task, or the run as `<task>/<epoch>`; empty for all.
    key: String,
    /// Calls that ended, however they did.
    calls: i64,
    /// Of them, those that brought no answer.
    failed_calls: i64,
    /// Of them, those of which nobody knows what came.
    unknown_calls: i64,
    /// Neither read from nor written to the prompt cache.
    input_tokens: i64,
    /// Of answers.
    output_tokens: i64,
    /// Read from the prompt cache.
    cache_read_tokens: i64,
    /// Written to it.
    cache_write_tokens: i64,
    /// Of these, written for an hour.
    cache_write_1h_tokens: i64,
    /// What is known of the cost, in billionths of a dollar.
    cost_nano_usd: i64,
    /// The same in dollars.
    cost_usd: f64,
    /// What the calls of unknown outcome cost at most, besides, in billionths of a dollar.
    unknown_nano_usd: i64,
}

impl From<UsageSum> for UsageSumView {
    fn from(sum: UsageSum) -> Self {
        Self {
            key: sum.key,
            calls: sum.calls,
            failed_calls: sum.failed,
            unknown_calls: sum.unknown,
            input_tokens: sum.usage.input_tokens,
            output_tokens: sum.usage.output_tokens,
            cache_read_tokens: sum.usage.cache_read_tokens,
            cache_write_tokens: sum.usage.cache_write_tokens,
            cache_write_1h_tokens: sum.usage.cache_write_1h_tokens,
            cost_nano_usd: sum.usage.cost.0,
            cost_usd: sum.usage.cost.usd(),
            unknown_nano_usd: sum.unknown_cost.0,
        }
    }
}
