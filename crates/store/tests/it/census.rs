//! What stands where is counted as it is, and what is at its end is not.

use hive_domain::{StatusReason, TaskStatus};
use hive_store::{Attempt, KeptAnswer};

use crate::bed::Bed;

#[tokio::test]
async fn tasks_are_counted_by_state_reason_and_priority() {
    let bed = Bed::make().await;
    assert_eq!(bed.store.census().await.unwrap(), []);
    let (old, ghost, done) = (bed.enqueue().await, bed.enqueue().await, bed.enqueue().await);
    bed.enqueue().await;
    bed.claim(ghost).await;
    let mut later = bed.new_task();
    later.run_at = Some("2090-01-01T00:00:00Z".parse().unwrap());
    bed.store.enqueue(&later).await.unwrap();
    for change in [
        format!("UPDATE tasks SET updated_at = now() - interval '90 s' WHERE id = '{old}'"),
        format!("UPDATE tasks SET lease_until = now() - interval '1 s' WHERE id = '{ghost}'"),
        format!("UPDATE tasks SET status = 'succeeded', completed_at = now() WHERE id = '{done}'"),
    ] {
        bed.execute(&change).await;
    }
    let mut census = bed.store.census().await.unwrap();
    census.sort_by_key(|standing| standing.status.as_str());
    let seen: Vec<_> = census.iter().map(|s| (s.status, s.reason, s.count, s.lapsed)).collect();
    assert_eq!(
        seen,
        [
            (TaskStatus::Pending, Some(StatusReason::Scheduled), 1, 0),
            (TaskStatus::Ready, None, 2, 0),
            (TaskStatus::Running, None, 1, 1),
        ]
    );
    assert!((90.0..120.0).contains(&census[1].oldest_seconds), "{census:?}");
}

#[tokio::test]
async fn a_dead_task_that_was_tried_again_waits_for_nobody() {
    let bed = Bed::make().await;
    let (one, other) = (bed.enqueue().await, bed.enqueue().await);
    bed.execute(
        "UPDATE tasks SET status = 'dead', status_reason = 'attempts_exhausted', completed_at = now()",
    )
    .await;
    let Attempt::First(mut once) = bed.store.attempt(None).await.unwrap() else {
        panic!("no key, no answer")
    };
    once.redrive(one, "ada").await.unwrap();
    once.finish(&KeptAnswer { status: 201, location: None, body: String::new() }).await.unwrap();
    let census = bed.store.census().await.unwrap();
    let dead = census.iter().find(|standing| standing.status == TaskStatus::Dead).unwrap();
    assert_eq!((dead.count, dead.redriven), (2, 1), "{other} waits");
}
