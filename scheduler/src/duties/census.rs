//! Counting what stands where, for dashboards and alarms. Every scheduler shows the same figures, so whoever reads
//! them takes the largest.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::Context;
use hive_domain::TaskStatus;
use hive_queue::Lane;
use hive_store::Standing;
use hive_telemetry::metrics::Description;
use tokio_util::sync::CancellationToken;

use crate::{Doors, duty::Duty};

const EVERY: Duration = Duration::from_secs(3);
/// The states that are counted; the others only grow.
const COUNTED: [&str; 5] = ["pending", "ready", "running", "waiting", "dead"];

pub(crate) const METRICS: [Description; 9] = [
    Description::gauge(
        "hive_tasks",
        "Tasks by state; those that succeeded, failed or were cancelled are not counted",
    ),
    Description::gauge("hive_waiting", "Tasks that are pending or waiting, by reason"),
    Description::gauge(
        "hive_ready_oldest_seconds",
        "How long the ready task has waited that has waited longest, by lane; 0 when none is ready",
    ),
    Description::gauge(
        "hive_dead_letters",
        "Tasks that are dead and were not tried again: they wait for a person",
    ),
    Description::gauge(
        "hive_running_without_lease",
        "Tasks that count as running although their lease has ended",
    ),
    Description::gauge(
        "hive_batch_requests",
        "Requests for batches that are not at their end, by where they stand: queued, sent, and poor for those of the \
         queued that found no room in a budget",
    ),
    Description::gauge(
        "hive_batch_oldest_seconds",
        "How long the request has waited for the result of a batch that has waited longest; 0 when none does",
    ),
    Description::gauge(
        "hive_vectors_refused",
        "Entries of memories and messages that have no vectors since the embedder refused their text; they are tried \
         again, ever more rarely",
    ),
    Description::gauge("hive_queue_depth", "Tickets that wait in Redis, by lane"),
];

/// What was shown before, so that a reason which nobody waits for any more goes back to 0.
#[derive(Clone, Debug, Default)]
struct Shown {
    reasons: BTreeSet<&'static str>,
}

impl Shown {
    fn show(&mut self, standings: &[Standing]) {
        let mut states: BTreeMap<&str, i64> = COUNTED.iter().map(|state| (*state, 0)).collect();
        let mut reasons: BTreeMap<&'static str, i64> =
            self.reasons.iter().map(|reason| (*reason, 0)).collect();
        let mut oldest = [0.0_f64; Lane::ALL.len()];
        for standing in standings {
            let state = standing.status.as_str();
            *states.entry(state).or_default() += standing.count;
            if let (Some(reason), "pending" | "waiting") = (standing.reason, state) {
                *reasons.entry(reason.as_str()).or_default() += standing.count;
            }
            if state == "ready" {
                let lane = Lane::from_priority(u8::try_from(standing.priority.get()).unwrap_or(u8::MAX));
                let seconds = &mut oldest[lane.index()];
                *seconds = seconds.max(standing.oldest_seconds);
            }
        }
        let lapsed: i64 = standings.iter().map(|standing| standing.lapsed).sum();
        metrics::gauge!("hive_running_without_lease").set(lapsed as f64);
        let dead = standings.iter().filter(|standing| standing.status == TaskStatus::Dead);
        let letters: i64 = dead.map(|standing| standing.count - standing.redriven).sum();
        metrics::gauge!("hive_dead_letters").set(letters as f64);
        for (state, count) in states {
            metrics::gauge!("hive_tasks", "status" => state.to_owned()).set(count as f64);
        }
        for (reason, count) in &reasons {
            metrics::gauge!("hive_waiting", "reason" => *reason).set(*count as f64);
        }
        for (lane, seconds) in Lane::ALL.into_iter().zip(oldest) {
            metrics::gauge!("hive_ready_oldest_seconds", "lane" => lane.as_str()).set(seconds);
        }
        self.reasons = reasons.into_keys().collect();
    }
}

async fn census(doors: &Doors, mut shown: Shown) -> anyhow::Result<Shown> {
    let standings = doors.store.census().await.context("Postgres could not be asked what stands where")?;
    shown.show(&standings);
    let batches =
        doors.store.batch_census().await.context("the requests for batches could not be counted")?;
    for (standing, count) in [("queued", batches.queued), ("poor", batches.poor), ("sent", batches.sent)] {
        metrics::gauge!("hive_batch_requests", "standing" => standing).set(count as f64);
    }
    metrics::gauge!("hive_batch_oldest_seconds").set(batches.oldest_seconds);
    let (entries, messages) =
        doors.store.refused_embeddings().await.context("refused embeddings could not be counted")?;
    for (of, count) in [("memories", entries), ("messages", messages)] {
        metrics::gauge!("hive_vectors_refused", "of" => of).set(count as f64);
    }
    Ok(shown)
}

async fn depth(doors: &Doors) -> anyhow::Result<()> {
    let depth = doors.queue.depth().await.context("Redis could not be asked how full the lanes are")?;
    for (lane, tickets) in Lane::ALL.into_iter().zip(depth) {
        metrics::gauge!("hive_queue_depth", "lane" => lane.as_str()).set(tickets as f64);
    }
    Ok(())
}

/// A count each 3 s until `stop`.
pub(crate) async fn keep_counted(doors: Doors, stop: CancellationToken) {
    // Apart, so that the one goes on when the store of the other is away.
    let (mut duty, mut depths) = (Duty::new("census", EVERY), Duty::new("depth", EVERY));
    let mut shown = Shown::default();
    while !stop.is_cancelled() {
        let (counted, before) = (doors.clone(), shown.clone());
        if let Some(now) = duty.attempt(async move { census(&counted, before).await }).await {
            shown = now;
        }
        let measured = doors.clone();
        depths.attempt(async move { depth(&measured).await }).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = duty.pause() => {}
        }
    }
}
