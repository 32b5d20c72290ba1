//! The one cause that keeps a task from going on.

use hive_domain::{TaskId, task::DependencyPolicy::Fail};

use crate::bed::{Bed, outcome};

async fn cause(bed: &Bed, id: TaskId) -> &'static str {
    bed.store.why(id).await.unwrap().1.cause
}

#[tokio::test]
async fn what_has_come_is_no_cause_any_more() {
    let bed = Bed::make().await;
    let (retried, awaited) = (bed.enqueue().await, bed.enqueue().await);
    bed.settle(retried, &outcome("retry")).await;
    let waits = bed.enqueue_after(&[awaited], Fail).await;
    let keyed = async || bed.enqueue_with(|new| new.concurrency_key = Some("k".to_owned())).await;
    let (holder, next) = (keyed().await, keyed().await);
    assert_eq!(cause(&bed, retried).await, "retry");
    assert_eq!(cause(&bed, waits).await, "dependencies");
    assert_eq!(cause(&bed, next).await, "concurrency");

    bed.let_time_pass(retried).await;
    bed.settle(awaited, &outcome("done")).await;
    bed.settle(holder, &outcome("done")).await;
    for id in [retried, waits, next] {
        assert_eq!(cause(&bed, id).await, "due", "only a pass of a scheduler is missing");
    }
    bed.reconcile().await;
    bed.reconcile().await;
    for id in [retried, waits, next] {
        assert_eq!(cause(&bed, id).await, "no_worker");
    }
}
