//! The life of the process.

use std::time::Duration;

use anyhow::Context;
use hive_telemetry::{
    Health,
    metrics::{self, Description},
};
use tokio::{task::JoinSet, time::timeout};

use crate::{Config, Doors, duties};

/// How long Postgres may take to come up before the process gives up; its supervisor tries again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often Postgres and Redis are asked whether they are there.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// What a pass gets to finish, then the last word on the health, and then what connections get to close: together less than
/// the 2 s of a stop.
const FINISH_WITHIN: Duration = Duration::from_secs(1);
const TELL_WITHIN: Duration = Duration::from_millis(300);
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

const METRICS: [Description; 17] = [
    Description::histogram("hive_scheduler_duty_seconds", "How long one pass of a duty took"),
    Description::gauge(
        "hive_scheduler_duty_last_success_timestamp",
        "When a pass of the duty last succeeded, or the scheduler began, in seconds since 1970",
    ),
    Description::counter("hive_scheduler_duty_failed_total", "Passes that failed"),
    Description::counter("hive_tasks_orphaned_total", "Tasks taken back from workers that stopped renewing"),
    Description::counter("hive_tasks_overdue_total", "Tasks that failed because their deadline had passed"),
    Description::counter(
        "hive_tasks_aged_total",
        "Tickets of old tasks that were put before more urgent ones",
    ),
    Description::counter("hive_tasks_released_total", "Parked tasks whose time or dependencies had come"),
    Description::counter("hive_bulk_action_tasks_total", "Tasks that actions on many tasks changed or made"),
    Description::counter(
        "hive_tickets_reannounced_total",
        "Tickets written because none was there or it was old",
    ),
    Description::counter("hive_schedule_slots_total", "Slots of schedules, by what became of them"),
    Description::counter(
        "hive_schedule_failures_total",
        "Times that a schedule could not fire and stayed due",
    ),
    Description::histogram("hive_schedule_lag_seconds", "From the time of a slot to its firing"),
    Description::counter("hive_housekeeping_runs_total", "Orders of housekeeping that were taken"),
    Description::counter("hive_housekeeping_failures_total", "Orders of housekeeping that failed"),
    Description::counter("hive_housekeeping_removed_rows_total", "Rows that housekeeping removed"),
    Description::counter("hive_housekeeping_removed_bytes_total", "How large they were"),
    Description::gauge(
        "hive_housekeeping_last_success_timestamp",
        "When the duty last succeeded anywhere, in seconds since 1970",
    ),
];

/// Runs the duties until SIGTERM or SIGINT, and ends within 2 s of it. Redis may be away at any time, Postgres after
/// the start.
///
/// # Errors
/// A setting cannot be used, the schema does not fit, or Postgres did not come up in 60 s.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let stop = hive_telemetry::stop_on_signal();
    let health = Health::new("scheduler");
    health.essential("postgres");
    health.optional("redis");
    let handle = metrics::install("scheduler");
    metrics::describe(&METRICS);
    metrics::describe(&duties::CENSUS_METRICS);
    metrics::describe(&duties::MONEY_METRICS);
    metrics::describe(&duties::SLEEP_METRICS);
    hive_queue::describe_metrics();
    hive_store::describe_metrics();
    let doors = Doors::open(&config)?;
    let server = hive_telemetry::serve(config.listen, handle, health.clone(), stop.clone())
        .await
        .context("HIVE_SCHEDULER_LISTEN")?;

    // Ends with this function.
    let mut watches = JoinSet::new();
    watches.spawn(health.clone().watch("postgres", PROBE_EVERY, {
        let store = doors.store.clone();
        move || {
            let store = store.clone();
            async move { store.ping().await }
        }
    }));
    watches.spawn(health.clone().watch("redis", PROBE_EVERY, {
        let queue = doors.queue.clone();
        move || {
            let queue = queue.clone();
            async move { queue.ping().await }
        }
    }));

    tokio::select! {
        ready = doors.store.wait_ready(PATIENCE) => ready.context("Postgres cannot be used")?,
        () = stop.cancelled() => return Ok(()),
    }
    watches.spawn(health.clone().tell({
        let store = doors.store.clone();
        move |process, notice| {
            let store = store.clone();
            async move {
                let (state, reason) = (notice.state.as_str(), notice.state.reason());
                store.note_health(&process, notice.component, state, reason, notice.at.into()).await
            }
        }
    }));
    let mut duties = JoinSet::new();
    duties.spawn(duties::keep_reconciled(doors.clone(), health.clone(), stop.clone()));
    duties.spawn(duties::keep_clean(doors.clone(), stop.clone()));
    duties.spawn(duties::keep_acting(doors.clone(), stop.clone()));
    duties.spawn(duties::keep_schedules(doors.clone(), stop.clone()));
    duties.spawn(duties::keep_messages(doors.clone(), stop.clone()));
    duties.spawn(duties::keep_sleep(doors.clone(), stop.clone()));
    duties.spawn(duties::keep_sleep_triggers(doors.clone(), stop.clone()));
    duties.spawn(duties::keep_house(doors.clone(), stop.clone()));
    duties.spawn(duties::keep_accounts(doors.clone(), stop.clone()));
    duties.spawn(duties::keep_counted(doors.clone(), stop.clone()));
    duties.spawn(duties::keep_telling(doors.clone(), stop.clone()));
    duties.spawn(duties::keep_fleet_watched(doors.clone(), stop.clone()));
    tracing::info!("The scheduler is at work");

    tokio::select! {
        // First: told to stop, the duties may end before this looks.
        biased;
        () = stop.cancelled() => {}
        Some(ended) = duties.join_next() => anyhow::bail!("a duty ended before its time: {ended:?}"),
    }
    health.draining();
    let finished = async { while duties.join_next().await.is_some() {} };
    if timeout(FINISH_WITHIN, finished).await.is_err() {
        tracing::warn!("A pass was cut; the next scheduler does the rest");
        duties.abort_all();
    }
    health.told(TELL_WITHIN).await;
    watches.abort_all();
    let closed = async { tokio::join!(doors.store.close(), server.ended()) };
    if timeout(CLOSE_WITHIN, closed).await.is_err() {
        tracing::warn!("Connections were cut at the end");
    }
    Ok(())
}
