//! What became of the money of calls: those whose process died are closed, budgets that came of the limits of ended tasks
//! are removed, and the others are counted for dashboards and alarms.

use std::time::Duration;

use anyhow::Context;
use hive_telemetry::metrics::Description;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Doors, duty::Duty};

/// A call is given up 20 s after it began, when its run is over; a run is, within 10 s of a death.
const EVERY: Duration = Duration::from_secs(5);

pub(crate) const METRICS: [Description; 3] = [
    Description::counter(
        "hive_llm_unknown_total",
        "Model calls whose run ended without an answer: what they cost at most counts as spent",
    ),
    Description::gauge(
        "hive_budgets",
        "Budgets by how full they are: open, near (four fifths or more), reached (spent, or a task waits for room)",
    ),
    Description::gauge(
        "hive_budget_org_used_ratio",
        "What part of the organisation's cap is spent and reserved, by period; 0 without one",
    ),
];

/// One pass, which looks for ended budgets after `after`. Returns after which one the next pass looks.
///
/// # Errors
/// Postgres is away; what was closed stays closed.
pub async fn money(doors: &Doors, after: Uuid) -> anyhow::Result<Uuid> {
    let closed = doors.store.close_orphaned_calls().await.context("open calls of the dead")?;
    metrics::counter!("hive_llm_unknown_total").increment(u64::try_from(closed).unwrap_or(0));
    let (_, next) = doors.store.drop_ended_shares(after).await.context("budgets of ended tasks")?;
    let census = doors.store.budget_census().await.context("the budgets could not be counted")?;
    for (state, count) in [("open", census.open), ("near", census.near), ("reached", census.reached)] {
        metrics::gauge!("hive_budgets", "state" => state).set(count as f64);
    }
    for (period, part) in [("day", census.org_day), ("total", census.org_total)] {
        metrics::gauge!("hive_budget_org_used_ratio", "period" => period).set(part);
    }
    Ok(next)
}

/// A pass each 5 s until `stop`.
pub(crate) async fn keep_accounts(doors: Doors, stop: CancellationToken) {
    let (mut duty, mut after) = (Duty::new("money", EVERY), Uuid::nil());
    while !stop.is_cancelled() {
        let doors = doors.clone();
        // After a failure from the beginning: the list may have become another.
        after = duty.attempt(async move { money(&doors, after).await }).await.unwrap_or_default();
        tokio::select! {
            () = stop.cancelled() => {}
            () = duty.pause() => {}
        }
    }
}
