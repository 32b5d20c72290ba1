//! Doing orders of housekeeping: those that need the database and no files.

use std::time::Duration;

use anyhow::{Context, anyhow};
use hive_store::{
    Store,
    housekeeping::{DUTIES, Order},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{Doors, duty::Duty};

const EVERY: Duration = Duration::from_secs(1);
/// The longest that one order may take; what it removed stays removed.
const ORDER_WITHIN: Duration = Duration::from_secs(300);
/// Orders of the database name no host.
const DATABASE: &str = "";

/// Does the oldest order that nobody has taken. False when there is none.
///
/// # Errors
/// The duty failed; the order says so too.
pub async fn housekeeping(doors: &Doors) -> anyhow::Result<bool> {
    let mine: Vec<String> =
        DUTIES.iter().filter(|duty| !duty.is_of_hosts()).map(|duty| duty.name.to_owned()).collect();
    let order =
        doors.store.take_order(&mine, DATABASE).await.context("Postgres could not be asked for orders")?;
    let Some(order) = order else { return Ok(false) };
    let labels = [("duty", order.duty.clone())];
    metrics::counter!("hive_housekeeping_runs_total", &labels).increment(1);
    let outcome = match timeout(ORDER_WITHIN, doors.store.keep_house(&order, &doors.retention)).await {
        Ok(outcome) => outcome.map_err(anyhow::Error::from),
        Err(_) => Err(anyhow!("it took longer than {} s", ORDER_WITHIN.as_secs())),
    };
    let said = outcome.as_ref().map_err(|error| format!("{error:#}"));
    let written =
        doors.store.finish_order(&order, DATABASE, said.as_ref().copied().map_err(String::as_str)).await;
    written.context("the end of an order could not be written down")?;
    match outcome {
        Ok(done) => {
            report(&order, done.removed_rows, done.removed_bytes);
            if !order.dry_run {
                metrics::counter!("hive_housekeeping_removed_rows_total", &labels)
                    .increment(done.removed_rows.max(0) as u64);
                metrics::counter!("hive_housekeeping_removed_bytes_total", &labels)
                    .increment(done.removed_bytes.max(0) as u64);
            }
            show_successes(&doors.store).await?;
            Ok(true)
        }
        Err(error) => {
            metrics::counter!("hive_housekeeping_failures_total", &labels).increment(1);
            Err(error.context(format!("duty {} failed", order.duty)))
        }
    }
}

fn report(order: &Order, rows: i64, bytes: i64) {
    let did = if order.dry_run { "would remove" } else { "removed" };
    if rows > 0 {
        tracing::info!(duty = order.duty, "Duty {} {did} {rows} rows, {bytes} bytes", order.duty);
    } else {
        tracing::debug!(duty = order.duty, "Duty {} {did} nothing", order.duty);
    }
}

/// Shows when each duty last succeeded, whichever scheduler it was.
async fn show_successes(store: &Store) -> anyhow::Result<()> {
    let (_, successes) = store.housekeeping().await.context("Postgres could not be asked for successes")?;
    for success in successes {
        let labels = [("duty", success.duty), ("host", success.host)];
        metrics::gauge!("hive_housekeeping_last_success_timestamp", &labels)
            .set(success.at.timestamp() as f64);
    }
    Ok(())
}

/// Orders, one after the other, until `stop`; before the first one the schedules of the system are made.
pub(crate) async fn keep_house(doors: Doors, stop: CancellationToken) {
    let mut duty = Duty::new("housekeeping", EVERY).within(ORDER_WITHIN + Duration::from_secs(10));
    let mut seeded = false;
    while !stop.is_cancelled() {
        let doors = doors.clone();
        let done = duty
            .attempt(async move {
                if !seeded {
                    let made = doors.store.seed_schedules().await.context("the system's schedules")?;
                    if made > 0 {
                        tracing::info!("Made {made} schedules of the system");
                    }
                    show_successes(&doors.store).await?;
                }
                housekeeping(&doors).await
            })
            .await;
        seeded |= done.is_some();
        if done == Some(true) {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = duty.pause() => {}
        }
    }
}
