//! Firing schedules: each in a task of its own, so that one that hangs stops no other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use hive_domain::{Priority, ScheduleId, TaskStatus};
use hive_queue::{Lane, Ticket};
use hive_store::schedules::{DueSchedule, Fired};
use serde_json::json;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::reconcile::CHANNEL;
use crate::{Doors, duty::Duty};

const EVERY: Duration = Duration::from_millis(500);
/// Schedules of one look at most, and those that fire at a time: half of the connections.
const LOOK: i64 = 500;
const AT_A_TIME: usize = 8;
/// What one schedule gets, the look into its repository included.
const FIRE_WITHIN: Duration = Duration::from_secs(25);
/// How soon a schedule that failed is tried again: at first, and at most.
const AGAIN_FROM: Duration = Duration::from_millis(500);
const AGAIN_TO: Duration = Duration::from_secs(60);

/// The schedules that fire at the moment or failed a while ago.
#[derive(Clone, Debug)]
struct Firing {
    // Protects the map; held for a few instructions.
    states: Arc<Mutex<HashMap<ScheduleId, State>>>,
    turns: Arc<Semaphore>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    failures: u32,
    /// Until then it is left alone; none while it fires.
    until: Option<Instant>,
}

/// One pass: fires whatever is due and waits for all of it. Returns how many slots fired.
///
/// # Errors
/// Postgres is away, or a schedule could not fire; the others did.
pub async fn schedules(doors: &Doors) -> anyhow::Result<usize> {
    let due = doors.store.due_schedules(LOOK).await.context("Postgres could not be asked for schedules")?;
    let mut firing: JoinSet<anyhow::Result<Fired>> = due
        .into_iter()
        .map(|due| {
            let doors = doors.clone();
            async move { fire(&doors, &due).await }
        })
        .collect();
    let (mut fired, mut failed) = (0, None);
    while let Some(outcome) = firing.join_next().await {
        match outcome.context("a schedule panicked").and_then(|outcome| outcome) {
            Ok(done) => fired += done.lags.len(),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(fired), Err)
}

/// Fires one schedule: looks up its base, does its slots, and announces their tasks after the commit.
async fn fire(doors: &Doors, due: &DueSchedule) -> anyhow::Result<Fired> {
    let work = async {
        let commit = match &due.repository {
            Some((url, base)) => Some(doors.bases.look_up(url, base).await?),
            None => None,
        };
        Ok(doors.store.fire(due.id, commit.as_deref()).await?)
    };
    let fired: anyhow::Result<Fired> = match timeout(FIRE_WITHIN, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(anyhow::anyhow!("it took longer than {} s", FIRE_WITHIN.as_secs())),
    };
    let fired = match fired {
        Ok(fired) => fired,
        Err(error) => {
            metrics::counter!("hive_schedule_failures_total").increment(1);
            tracing::warn!(schedule.id = %due.id, "Schedule {} could not fire and is tried again: {error:#}", due.id);
            doors.store.schedule_failed(due.id, &format!("{error:#}")).await.ok();
            return Err(error.context(format!("schedule {} could not fire", due.id)));
        }
    };
    // One that waits for a place of its key is announced when it gets it.
    let ready = fired.tasks.iter().filter(|task| task.status == TaskStatus::Ready);
    let tickets: Vec<_> = ready.map(|task| ticket(task.id.uuid(), task.epoch, task.priority)).collect();
    // A ticket that is lost is written again by the reconciler.
    doors.queue.announce(&tickets).await;
    for task in &fired.tasks {
        doors.queue.notify(CHANNEL, &json!({ "task_id": task.id }).to_string()).await;
    }
    metrics::counter!("hive_schedule_slots_total", "outcome" => "fired").increment(fired.lags.len() as u64);
    metrics::counter!("hive_schedule_slots_total", "outcome" => "skipped").increment(fired.skipped as u64);
    metrics::counter!("hive_schedule_slots_total", "outcome" => "refused").increment(fired.refused as u64);
    metrics::counter!("hive_schedule_slots_total", "outcome" => "missed").increment(fired.missed as u64);
    for lag in &fired.lags {
        metrics::histogram!("hive_schedule_lag_seconds").record(*lag);
    }
    Ok(fired)
}

fn ticket(task_id: uuid::Uuid, epoch: i64, priority: Priority) -> Ticket {
    // A priority lies between 1 and 9; what did not would be least urgent.
    let priority = u8::try_from(priority.get()).unwrap_or(u8::MAX);
    Ticket { task_id, epoch, lane: Lane::from_priority(priority) }
}

/// A look each half second until `stop`. What fires does so beside it.
pub(crate) async fn keep_schedules(doors: Doors, stop: CancellationToken) {
    let mut duty = Duty::new("schedules", EVERY);
    let firing = Firing { states: Arc::default(), turns: Arc::new(Semaphore::new(AT_A_TIME)) };
    let mut at_work = JoinSet::new();
    while !stop.is_cancelled() {
        let store = doors.store.clone();
        let look = async move {
            store.due_schedules(LOOK).await.context("Postgres could not be asked for schedules")
        };
        for due in duty.attempt(look).await.unwrap_or_default() {
            if firing.begin(due.id) {
                at_work.spawn(firing.clone().fire(doors.clone(), due));
            }
        }
        while at_work.try_join_next().is_some() {}
        tokio::select! {
            () = stop.cancelled() => {}
            () = duty.pause() => {}
        }
    }
    // Dropped here: a transaction that is cut leaves its slots due.
}

impl Firing {
    /// False while it fires, or when it failed a short while ago.
    fn begin(&self, id: ScheduleId) -> bool {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = match states.get(&id) {
            None => 0,
            Some(State { until: None, .. }) => return false,
            Some(State { until: Some(until), .. }) if Instant::now() < *until => return false,
            Some(state) => state.failures,
        };
        states.insert(id, State { failures, until: None });
        true
    }

    fn end(&self, id: ScheduleId, failed: bool) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = states.get(&id).map_or(0, |state| state.failures);
        if failed {
            let pause = AGAIN_TO.min(AGAIN_FROM * 2_u32.pow(failures.min(10)));
            states.insert(id, State { failures: failures + 1, until: Some(Instant::now() + pause) });
        } else {
            states.remove(&id);
        }
    }

    async fn fire(self, doors: Doors, due: DueSchedule) {
        // A task of its own, so that a panic ends this firing and leaves the schedule to the next one.
        let id = due.id;
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return };
        let outcome = tokio::spawn(async move { fire(&doors, &due).await }).await;
        drop(turn);
        self.end(id, !matches!(outcome, Ok(Ok(_))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_schedule_that_fails_is_tried_again_ever_later() {
        let firing = Firing { states: Arc::default(), turns: Arc::new(Semaphore::new(1)) };
        let (bad, good) = (ScheduleId::new(), ScheduleId::new());
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let start = Instant::now();
            while !firing.begin(bad) {
                tokio::time::advance(Duration::from_millis(100)).await;
            }
            pauses.push(start.elapsed().as_millis());
            assert!(!firing.begin(bad), "it fires already");
            firing.end(bad, true);
            assert!(firing.begin(good), "the others are not held up");
            firing.end(good, false);
        }
        assert_eq!(pauses, [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    }
}
