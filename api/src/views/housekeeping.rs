//! Housekeeping as it is shown.

use chrono::{DateTime, Utc};
use hive_store::housekeeping::{Duty, LastRun, OrderView as StoredOrder, Success};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A duty and how it fares.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Duty)]
pub struct DutyView {
    /// Its name.
    name: &'static str,
    /// What it does.
    what: &'static str,
    /// When it last succeeded anywhere; dry runs do not count.
    last_success_at: Option<DateTime<Utc>>,
    /// The last run on each host.
    last_runs: Vec<RunView>,
}

/// One run of a duty.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HousekeepingRun)]
pub struct RunView {
    /// The host whose files it was about; null for duties of the database.
    host: Option<String>,
    /// The order that it did.
    order_id: Uuid,
    /// Whether it only looked.
    dry_run: bool,
    /// `running`, `done` or `failed`.
    state: String,
    /// When it was taken.
    started_at: DateTime<Utc>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// When this host last succeeded.
    last_success_at: Option<DateTime<Utc>>,
    /// Rows, or directories of a host, that it removed or would remove.
    removed_rows: i64,
    /// Their size, as far as it is known.
    removed_bytes: i64,
    /// What else it found.
    #[schema(value_type = Object)]
    report: Value,
    /// Why it failed.
    error: Option<String>,
}

/// An order and what came of it so far.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HousekeepingOrder)]
pub struct OrderView {
    /// Its id.
    id: Uuid,
    /// Of this duty.
    duty: String,
    /// Report what would be removed, and remove nothing.
    dry_run: bool,
    /// Days that are kept, instead of the configured retention.
    keep_days: Option<i32>,
    /// Who ordered it.
    ordered_by: String,
    /// When.
    created_at: DateTime<Utc>,
    /// Its runs, one per host for duties of hosts; none until somebody takes it.
    runs: Vec<RunView>,
}

impl DutyView {
    /// A duty with the runs and successes that are its.
    pub fn new(duty: &'static Duty, runs: &[LastRun], successes: &[Success]) -> Self {
        let of_host = |host: &str| {
            let mut mine =
                successes.iter().filter(|success| success.duty == duty.name && success.host == host);
            mine.next().map(|success| success.at)
        };
        let run = |run: &LastRun| RunView {
            host: Some(run.host.clone()).filter(|host| !host.is_empty()),
            order_id: run.order,
            dry_run: run.dry_run,
            state: run.state.clone(),
            started_at: run.started_at,
            finished_at: run.finished_at,
            last_success_at: of_host(&run.host),
            removed_rows: run.removed_rows,
            removed_bytes: run.removed_bytes,
            report: run.report.clone(),
            error: run.error.clone(),
        };
        let mine = successes.iter().filter(|success| success.duty == duty.name);
        Self {
            name: duty.name,
            what: duty.what,
            last_success_at: mine.map(|success| success.at).max(),
            last_runs: runs.iter().filter(|run| run.duty == duty.name).map(run).collect(),
        }
    }
}

impl OrderView {
    /// True when some run of it has ended.
    pub fn is_done(&self) -> bool {
        !self.runs.is_empty() && self.runs.iter().all(|run| run.finished_at.is_some())
    }
}

impl From<StoredOrder> for OrderView {
    fn from(view: StoredOrder) -> Self {
        let order = view.order;
        let runs = view.runs.into_iter().map(|run| RunView {
            host: Some(run.host).filter(|host| !host.is_empty()),
            order_id: order.id,
            dry_run: order.dry_run,
            last_success_at: run.finished_at.filter(|_| run.state == "done" && !order.dry_run),
            state: run.state,
            started_at: run.started_at,
            finished_at: run.finished_at,
            removed_rows: run.done.removed_rows,
            removed_bytes: run.done.removed_bytes,
            report: run.done.report,
            error: run.error,
        });
        Self {
            runs: runs.collect(),
            id: order.id,
            duty: order.duty,
            dry_run: order.dry_run,
            keep_days: order.keep_days,
            ordered_by: view.ordered_by,
            created_at: view.created_at,
        }
    }
}
