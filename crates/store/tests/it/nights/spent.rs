//! The money of a night bounds all tries of its requests, also those of which nobody knows what they cost.

use std::{collections::BTreeMap, time::Duration};

use hive_domain::{BatchRequestState, CycleBudget, CycleId, CyclePhase, NanoUsd, SleepTrigger};
use hive_store::{BatchEnd, CycleLease, NIGHT_IS_SPENT, NewCycle, NightAnswer, NightRequest, PhaseEnd};
use serde_json::json;
use uuid::Uuid;

use super::OURS;
use crate::bed::{Bed, WORKER};

const MODEL: &str = "claude-haiku-5-5";

/// A night with this money that asks so many requests.
async fn asking(bed: &Bed, money: Option<i64>, requests: usize) -> CycleLease {
    let new = NewCycle {
        id: CycleId::new(),
        owner: OURS,
        trigger: SleepTrigger::Manual,
        asked_by: "test".to_owned(),
        budget: CycleBudget { money: money.map(NanoUsd), ..CycleBudget::default() },
    };
    bed.store.begin_cycle(&new).await.unwrap();
    let lease = bed.store.take_cycle("one").await.unwrap().unwrap();
    let request = NightRequest {
        model: MODEL.to_owned(),
        body: r#"{"model":"claude-haiku-5-5","max_tokens":8}"#.to_owned(),
        given: json!({}),
    };
    let asked = vec![request; requests];
    bed.store.ask_for_cycle(&lease, CyclePhase::Extract, &asked, &PhaseEnd::default()).await.unwrap();
    lease
}

async fn answers(bed: &Bed, lease: &CycleLease) -> Vec<NightAnswer> {
    bed.store.cycle_answers(lease, CyclePhase::Extract).await.unwrap()
}

/// Sends what waits, each of which may cost 100, and loses it; how many those were.
async fn lose_a_batch(bed: &Bed, lease: &CycleLease) -> usize {
    assert!(bed.store.hold_batches(WORKER).await.unwrap());
    let ids: Vec<Uuid> = answers(bed, lease).await.into_iter().map(|answer| answer.id).collect();
    let worst: BTreeMap<_, _> = ids.iter().map(|id| (*id, NanoUsd(100))).collect();
    let batch = Uuid::now_v7();
    let sent = bed.store.begin_batch(WORKER, "key", batch, MODEL, &worst).await.unwrap();
    bed.store.give_up_batch(batch, BatchEnd::Lost, "a test", Duration::ZERO).await.unwrap();
    sent.len()
}

#[tokio::test]
async fn a_try_that_the_money_of_a_night_is_too_little_for_is_not_made() {
    let bed = Bed::make().await;
    let lease = asking(&bed, Some(350), 2).await;
    assert_eq!(lose_a_batch(&bed, &lease).await, 2);
    assert_eq!(lose_a_batch(&bed, &lease).await, 1, "200 may be spent, and one of them fits into the rest");
    let ended = answers(&bed, &lease).await;
    let states: Vec<_> = ended.iter().map(|answer| (answer.state, answer.error.as_deref())).collect();
    assert_eq!(states[1], (BatchRequestState::Canceled, Some(NIGHT_IS_SPENT)));
    assert_eq!(states[0].0, BatchRequestState::Queued, "{states:?}");
    assert_eq!(lose_a_batch(&bed, &lease).await, 0);
    let cycle = bed.store.sleep_cycle(lease.cycle.id).await.unwrap();
    assert_eq!(cycle.calls.unknown_cost, NanoUsd(300), "never more than its bound");
}

#[tokio::test]
async fn a_night_without_a_bound_of_its_own_tries_again() {
    let bed = Bed::make().await;
    let lease = asking(&bed, None, 1).await;
    for _ in 0..4 {
        assert_eq!(lose_a_batch(&bed, &lease).await, 1);
    }
    assert_eq!(answers(&bed, &lease).await[0].state, BatchRequestState::Errored, "its tries are used up");
}
