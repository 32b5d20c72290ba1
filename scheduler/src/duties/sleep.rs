//! Agents that fall asleep and wake: each transition that has come, in the order in which they follow one another, so
//! that one pass takes an agent as far as it can go.

use std::time::Duration;

use anyhow::Context;
use hive_domain::AgentId;
use hive_queue::{Ticket, agent_events};
use hive_store::{Fallen, Woke};
use hive_telemetry::metrics::Description;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{Doors, duty::Duty};

const EVERY: Duration = Duration::from_millis(500);
/// How often it is asked who falls asleep by itself: that takes looks at what agents did.
const TRIGGERS_EVERY: Duration = Duration::from_secs(2);
const CENSUS_EVERY: Duration = Duration::from_secs(10);

pub(crate) const METRICS: [Description; 4] = [
    Description::gauge("hive_agents_asleep", "Agents that are not awake, by where they stand"),
    Description::gauge(
        "hive_sleep_late_seconds",
        "By how much the agent is late that should have been awake for longest; 0 when none is",
    ),
    Description::gauge(
        "hive_sleep_tokens_per_task",
        "Tokens that a task which succeeded took in the mean, before and after the last night of its agent",
    ),
    Description::gauge(
        "hive_sleep_tasks_sampled",
        "How many tasks the mean of hive_sleep_tokens_per_task is of",
    ),
];

/// What one pass did.
#[derive(Clone, Debug, Default)]
pub struct Tended {
    /// Agents that are asleep now.
    pub fallen: Vec<Fallen>,
    /// Agents that are awake now.
    pub woke: Vec<Woke>,
}

/// One pass over those that are not awake.
///
/// # Errors
/// Postgres is away; the next pass does it.
pub async fn sleep(doors: &Doors) -> anyhow::Result<Tended> {
    // First: who is woken for work that cannot wait does not fall asleep before.
    doors.store.begin_to_wake().await.context("Agents could not be woken")?;
    let fallen = doors.store.fall_asleep().await.context("Agents could not fall asleep")?;
    for fallen in &fallen {
        let event = json!({ "sleep_id": fallen.sleep, "state": "asleep", "cycle_id": fallen.cycle });
        tell(doors, fallen.agent, &event).await;
    }
    let woke = doors.store.end_nights().await.context("Nights could not be ended")?;
    for woke in &woke {
        let tickets: Vec<Ticket> = woke
            .announce
            .iter()
            .map(|of| Ticket::new(of.task.uuid(), of.epoch, of.priority.into(), of.isolated))
            .collect();
        doors.queue.announce(&tickets).await;
        tracing::info!("Agent {} is awake: {}", woke.agent, woke.reason);
        tell(doors, woke.agent, &json!({ "sleep_id": woke.sleep, "state": "awake", "reason": woke.reason }))
            .await;
    }
    Ok(Tended { fallen, woke })
}

/// One look at who falls asleep by itself.
///
/// # Errors
/// Postgres is away; the next look does it.
pub async fn sleep_triggers(doors: &Doors) -> anyhow::Result<usize> {
    let put = doors.store.sleep_by_themselves().await.context("Agents could not be looked at")?;
    let begun = put.iter().flat_map(|put| &put.begun);
    let mut number = 0;
    for sleep in begun {
        number += 1;
        tracing::info!("Agent {} falls asleep: {}", sleep.agent, sleep.trigger);
        tell(
            doors,
            sleep.agent,
            &json!({ "sleep_id": sleep.id, "state": sleep.state, "trigger": sleep.trigger }),
        )
        .await;
    }
    Ok(number)
}

async fn tell(doors: &Doors, agent: AgentId, event: &serde_json::Value) {
    doors.queue.notify(&agent_events(agent), &event.to_string()).await;
}

async fn census(doors: &Doors) -> anyhow::Result<()> {
    let census = doors.store.sleep_census().await.context("Postgres could not be asked who sleeps")?;
    for state in hive_domain::SleepState::ALL.iter().filter(|state| **state != hive_domain::SleepState::Awake)
    {
        let found = census.states.iter().find(|(found, _)| found == state);
        metrics::gauge!("hive_agents_asleep", "state" => state.as_str())
            .set(found.map_or(0, |(_, count)| *count) as f64);
    }
    metrics::gauge!("hive_sleep_late_seconds").set(census.late_seconds);
    for (when, spent) in [("before", census.before), ("after", census.after)] {
        metrics::gauge!("hive_sleep_tasks_sampled", "when" => when).set(spent.tasks as f64);
        metrics::gauge!("hive_sleep_tokens_per_task", "when" => when)
            .set(spent.tokens_per_task.unwrap_or(0.0));
    }
    Ok(())
}

/// Passes until `stop`.
pub(crate) async fn keep_sleep(doors: Doors, stop: CancellationToken) {
    let mut duty = Duty::new("sleep", EVERY);
    while !stop.is_cancelled() {
        let through = doors.clone();
        duty.attempt(async move { sleep(&through).await }).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = duty.pause() => {}
        }
    }
}

/// Looks at who falls asleep by itself, until `stop`.
pub(crate) async fn keep_sleep_triggers(doors: Doors, stop: CancellationToken) {
    let (mut duty, mut count) =
        (Duty::new("sleep_triggers", TRIGGERS_EVERY), Duty::new("sleep_census", CENSUS_EVERY));
    let mut counted: Option<std::time::Instant> = None;
    while !stop.is_cancelled() {
        let through = doors.clone();
        duty.attempt(async move { sleep_triggers(&through).await }).await;
        if counted.is_none_or(|at| at.elapsed() >= CENSUS_EVERY) {
            counted = Some(std::time::Instant::now());
            let through = doors.clone();
            count.attempt(async move { census(&through).await }).await;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = duty.pause() => {}
        }
    }
}
