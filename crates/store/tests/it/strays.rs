//! Handing back what was claimed and never ran.

use hive_domain::{StatusReason, TaskStatus};

use crate::bed::{Bed, WORKER, outcome};

#[tokio::test]
async fn what_its_worker_never_ran_is_handed_back_as_if_it_had_not_been_claimed() {
    let bed = Bed::make().await;
    let since = bed.store.now().await.unwrap();
    let id = bed.enqueue().await;
    bed.fail_a_try(id).await;
    let before = bed.rows(id).await["task"].clone();
    let lease = bed.claim(id).await;
    let claim = (id, lease.epoch());
    assert_eq!(bed.store.claims_not_renewed(WORKER, since).await.unwrap(), [claim]);
    let handed_back = bed.store.hand_back_strays(WORKER, &[claim]).await.unwrap();
    assert_eq!((handed_back[0].task, handed_back[0].epoch), claim);
    bed.assert_stands(id, TaskStatus::Ready, Some(StatusReason::Drained)).await;
    let after = bed.rows(id).await["task"].clone();
    for column in ["attempt", "deaths", "run_at", "run_seconds", "worker", "lease_until"] {
        assert_eq!(after[column], before[column], "{column}");
    }
    assert!(bed.store.settle(&lease, &outcome("done")).await.is_err(), "a late answer can write nothing");
    assert_eq!(bed.claim(id).await.epoch(), claim.1 + 1);
}

#[tokio::test]
async fn only_the_claim_of_that_worker_in_that_epoch_is_handed_back() {
    let bed = Bed::make().await;
    let since = bed.store.now().await.unwrap();
    let (id, done) = (bed.enqueue().await, bed.enqueue().await);
    let epoch = bed.claim(id).await.epoch();
    bed.settle(done, &outcome("done")).await;
    let before = (bed.rows(id).await, bed.rows(done).await);
    for (worker, claim) in [("another", (id, epoch)), (WORKER, (id, epoch + 1)), (WORKER, (done, 1))] {
        assert!(bed.store.hand_back_strays(worker, &[claim]).await.unwrap().is_empty());
    }
    assert_eq!((bed.rows(id).await, bed.rows(done).await), before);
    assert!(bed.store.claims_not_renewed("another", since).await.unwrap().is_empty());
    assert_eq!(bed.store.claims_not_renewed(WORKER, bed.store.now().await.unwrap()).await.unwrap(), []);
    bed.execute("SELECT pg_sleep(0.01)").await;
    bed.store.renew(&[(id, epoch)]).await.unwrap();
    assert_eq!(bed.store.claims_not_renewed(WORKER, since).await.unwrap(), [], "what is renewed has a run");
}
