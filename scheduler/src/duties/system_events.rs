//! Telling what happens to the system: what was committed is published at Redis, how the fleet is is looked at, and pauses
//! whose time has passed are removed.

use std::time::Duration;

use anyhow::Context;
use hive_store::SystemEvent;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{Doors, duty::Duty};

/// How often the number of the last event is looked at: one row.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// How often the fleet is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Events published at once.
const BATCH: i64 = 256;

/// Publishes what was not published yet, each event once, whoever of the schedulers does it. It is a hint: who misses it
/// reads the row. Returns how many.
///
/// # Errors
/// Postgres is away.
pub async fn tell_events(doors: &Doors) -> anyhow::Result<usize> {
    let events = doors.store.take_untold(BATCH).await.context("events of the system could not be read")?;
    for event in &events {
        let SystemEvent { seq, channel, kind, subject, data, at } = event;
        let told = json!({ "seq": seq, "channel": channel, "kind": kind, "subject": subject, "at": at, "data": data });
        doors.queue.notify(channel.as_str(), &told.to_string()).await;
    }
    Ok(events.len())
}

/// Looks at the fleet; a change is an event. Returns how many parts changed.
///
/// # Errors
/// Postgres is away.
pub async fn fleet_health(doors: &Doors) -> anyhow::Result<u64> {
    doors.store.end_pauses().await.context("ended pauses could not be removed")?;
    let lost = doors.store.mark_lost_workers().await.context("silent workers could not be looked for")?;
    if lost > 0 {
        tracing::warn!("{lost} workers fell silent");
    }
    let facts = doors.store.fleet_facts().await.context("the fleet could not be looked at")?;
    let changed =
        doors.store.keep_fleet_health(&facts.judge()).await.context("its health could not be kept")?;
    doors.store.tell_fleet().await.context("its figures could not be told")?;
    Ok(changed)
}

/// A pass each 200 ms until `stop`, without a pause while there is more.
pub(crate) async fn keep_telling(doors: Doors, stop: CancellationToken) {
    let mut duty = Duty::new("system_events", TELL_EVERY);
    while !stop.is_cancelled() {
        let doors = doors.clone();
        let told = duty.attempt(async move { tell_events(&doors).await }).await;
        if told.is_some_and(|told| told > 0) {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = duty.pause() => {}
        }
    }
}

/// A pass each second until `stop`.
pub(crate) async fn keep_fleet_watched(doors: Doors, stop: CancellationToken) {
    let mut duty = Duty::new("fleet_health", LOOK_EVERY);
    while !stop.is_cancelled() {
        let doors = doors.clone();
        duty.attempt(async move { fleet_health(&doors).await }).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = duty.pause() => {}
        }
    }
}
