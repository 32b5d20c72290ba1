//! Agents asleep: one night at a time, nothing lost in it, and nobody sleeps for ever.

mod briefing;
mod races;
mod states;
mod triggers;

use hive_domain::{AgentId, SleepTrigger, Sleepers, WakeReason};
use hive_store::{PutToSleep, Sleep, SleepEvent};

use crate::bed::Bed;

fn only(agent: AgentId) -> Sleepers {
    Sleepers::AgentIds(vec![agent])
}

async fn put_to_sleep(bed: &Bed) -> PutToSleep {
    bed.store.sleep(&only(bed.agent), SleepTrigger::Manual, "ada").await.unwrap()
}

/// Puts the agent of the bed to sleep, with a cycle.
async fn asleep(bed: &Bed) -> Sleep {
    put_to_sleep(bed).await;
    let fallen = bed.store.fall_asleep().await.unwrap();
    assert_eq!(fallen.len(), 1);
    night(bed).await.0
}

/// The last night of the agent, and its transitions.
async fn night(bed: &Bed) -> (Sleep, Vec<SleepEvent>) {
    let mut sleeps = bed.store.sleeps(bed.agent, None, 1).await.unwrap();
    sleeps.pop().expect("a night")
}

/// Ends all cycles that are open.
async fn end_cycles(bed: &Bed, state: &str) {
    let failure = if state == "failed" { "'a test'" } else { "NULL" };
    bed.execute(&format!(
        "UPDATE sleep_cycles SET state = '{state}', finished_at = now(), failure = {failure},
                                 worker = NULL, lease_until = NULL
         WHERE finished_at IS NULL"
    ))
    .await;
}

/// A pass of the scheduler over those that wake.
async fn wake_pass(bed: &Bed) -> Vec<WakeReason> {
    bed.store.begin_to_wake().await.unwrap();
    bed.store.end_nights().await.unwrap().into_iter().map(|woke| woke.reason).collect()
}
