//! Tasks that may be what kills their workers.

use hive_domain::{Lease, StatusReason, TaskId, TaskStatus};
use hive_store::{Claimant, WorkerReport};
use serde_json::json;

use crate::bed::{Bed, WORKER, isolated, look};

async fn stands(bed: &Bed, id: TaskId) -> (TaskStatus, Option<StatusReason>, i32, bool) {
    let task = bed.task(id).await;
    (task.status, task.reason, task.deaths, task.isolated)
}

#[tokio::test]
async fn two_deaths_isolate_and_two_more_are_the_end() {
    let bed = Bed::make().await;
    let id = bed.enqueue_with(|new| new.max_attempts = 1).await;
    let ready = TaskStatus::Ready;
    bed.claim(id).await;
    bed.orphan(id).await;
    assert_eq!(stands(&bed, id).await, (ready, Some(StatusReason::Orphaned), 1, false));
    bed.claim(id).await;
    bed.orphan(id).await;
    assert_eq!(stands(&bed, id).await, (ready, Some(StatusReason::Isolated), 0, true));
    assert_eq!(bed.claim_isolated(id).await.leased.attempt, 1, "four deaths cost not one attempt");
    bed.orphan(id).await;
    assert_eq!(stands(&bed, id).await, (ready, Some(StatusReason::Isolated), 1, true));
    bed.claim_isolated(id).await;
    bed.orphan(id).await;
    assert_eq!(stands(&bed, id).await, (TaskStatus::Dead, Some(StatusReason::Poison), 2, true));
    let task = bed.task(id).await;
    assert_eq!((task.epoch, task.attempt), (4, 0));
    assert!(bed.row_holds(id, "completed_at IS NOT NULL AND worker IS NULL AND lease_until IS NULL").await);
    let event = bed.events(id).await.pop().unwrap();
    assert_eq!(event.kind, "task.dead");
    assert_eq!(event.data, json!({ "worker": "isolated-1", "deaths": 2, "reason": "poison" }));
    let kinds = bed.event_kinds(id).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "task.orphaned").count(), 3);
    assert!(bed.reconcile().await.announce.is_empty());
}

#[tokio::test]
async fn a_step_between_acquits() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    for _ in 0..4 {
        bed.claim(id).await;
        bed.orphan(id).await;
        assert_eq!(bed.task(id).await.deaths, 1);
        let mut lease = bed.claim(id).await;
        bed.append_note(&mut lease, "a step").await;
        assert_eq!(bed.task(id).await.deaths, 0);
        bed.orphan(id).await;
        assert_eq!(stands(&bed, id).await, (TaskStatus::Ready, Some(StatusReason::Orphaned), 1, false));
        let mut lease = bed.claim(id).await;
        bed.append_note(&mut lease, "another").await;
        bed.settle_with(&lease, &crate::bed::outcome("yield")).await;
    }
    for _ in 0..2 {
        bed.claim(id).await;
        bed.orphan(id).await;
    }
    assert!(bed.task(id).await.isolated);
    for _ in 0..3 {
        let mut lease = bed.claim_isolated(id).await;
        bed.append_note(&mut lease, "a step alone").await;
        bed.orphan(id).await;
        assert_eq!(stands(&bed, id).await, (TaskStatus::Ready, Some(StatusReason::Isolated), 1, true));
    }
}

#[tokio::test]
async fn suspects_and_others_never_share_a_worker() {
    let bed = Bed::make().await;
    let (suspect, other) = (bed.enqueue().await, bed.enqueue().await);
    for _ in 0..2 {
        bed.claim(suspect).await;
        bed.orphan(suspect).await;
    }
    let (ordinary, alone) = (Claimant::ordinary(WORKER), isolated());
    let (before_suspect, before_other) = (bed.rows(suspect).await, bed.rows(other).await);
    let epoch = bed.task(suspect).await.epoch;
    // In one group, so that each ticket is compared with its own claimant.
    let (a, b) = tokio::join!(bed.store.claim(suspect, epoch, &ordinary), bed.store.claim(other, 0, &alone),);
    assert!(a.unwrap().is_none() && b.unwrap().is_none());
    assert_eq!(bed.rows(suspect).await, before_suspect);
    assert_eq!(bed.rows(other).await, before_other);
    for oldest in [false, true] {
        let claimed = bed.store.claim_next(&alone, 10, oldest).await.unwrap();
        assert_eq!(claimed.iter().map(Lease::task).collect::<Vec<_>>(), [suspect]);
        bed.settle_with(&claimed[0], &crate::bed::outcome("yield")).await;
        let claimed = bed.store.claim_next(&ordinary, 10, oldest).await.unwrap();
        assert_eq!(claimed.iter().map(Lease::task).collect::<Vec<_>>(), [other]);
        bed.settle_with(&claimed[0], &crate::bed::outcome("yield")).await;
    }
    let epoch = bed.task(suspect).await.epoch;
    let (a, b) =
        tokio::join!(bed.store.claim(suspect, epoch, &ordinary), bed.store.claim(suspect, epoch, &alone),);
    assert!(a.unwrap().is_none());
    assert_eq!(b.unwrap().unwrap().epoch(), epoch + 1, "of two tickets in one group the right one wins");
}

#[tokio::test]
async fn a_suspects_ticket_is_for_the_lane_of_suspects() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    bed.claim(id).await;
    bed.orphan(id).await;
    bed.claim(id).await;
    bed.orphan(id).await;
    let mut narrow = look(1_000);
    narrow.isolated = 0;
    assert!(bed.store.reconcile(&narrow).await.unwrap().announce.is_empty(), "it has no room elsewhere");
    let mut alone = look(0);
    alone.isolated = 1;
    let [ticket] = <[_; 1]>::try_from(bed.store.reconcile(&alone).await.unwrap().announce).unwrap();
    assert_eq!((ticket.task, ticket.isolated, ticket.first), (id, true, false));
    assert!(bed.store.reconcile(&alone).await.unwrap().announce.is_empty(), "and not twice");
    let lease = bed.claim_isolated(id).await;
    let again = bed.store.settle(&lease, &crate::bed::outcome("yield")).await.unwrap().again.unwrap();
    assert!(again.isolated, "handed back, it goes there again");
}

#[tokio::test]
async fn a_suspect_waits_for_an_isolated_worker_and_is_told_so() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    for _ in 0..2 {
        bed.claim(id).await;
        bed.orphan(id).await;
    }
    let report = |claimant, slots| WorkerReport {
        claimant,
        host: "host".to_owned(),
        version: "1.0".to_owned(),
        slots,
        draining: false,
    };
    bed.store.report_worker(&report(Claimant::ordinary("one"), 8)).await.unwrap();
    let (_, why) = bed.store.why(id).await.unwrap();
    assert_eq!(why.cause, "no_isolated_worker");
    bed.store.report_worker(&report(isolated(), 1)).await.unwrap();
    let (_, why) = bed.store.why(id).await.unwrap();
    assert_eq!(why.cause, "queued");
    assert!(why.explanation.ends_with("only an isolated worker may run it, and it is next."), "{why:?}");
    assert_eq!(why.clears, "The isolated worker, which runs one task at a time.");
    let other = bed.enqueue().await;
    let (_, why) = bed.store.why(other).await.unwrap();
    assert_eq!((&*why.explanation, &*why.clears), ("It is next.", "A free slot of the worker, which has 8."));
}
