//! The workers as they report themselves.

use hive_store::{Claimant, LiveWorkers, WorkerReport};

use crate::bed::{Bed, isolated};

fn report(claimant: Claimant, slots: i32) -> WorkerReport {
    WorkerReport { claimant, host: "host".to_owned(), version: "1.0".to_owned(), slots, draining: false }
}

#[tokio::test]
async fn those_that_report_are_counted_and_no_others() {
    let bed = Bed::make().await;
    assert_eq!(bed.store.live_workers().await.unwrap(), LiveWorkers::default());
    for (name, slots) in [("one", 4), ("two", 8)] {
        bed.store.report_worker(&report(Claimant::ordinary(name), slots)).await.unwrap();
    }
    bed.store.report_worker(&report(isolated(), 1)).await.unwrap();
    let all = LiveWorkers { ordinary: 2, slots: 12, isolated: 1 };
    assert_eq!(bed.store.live_workers().await.unwrap(), all);

    // Silent for longer than a lease: gone until it reports again.
    bed.execute("UPDATE workers SET seen_at = now() - interval '11 s' WHERE name = 'one'").await;
    assert_eq!(bed.store.live_workers().await.unwrap(), LiveWorkers { ordinary: 1, slots: 8, isolated: 1 });
    bed.store.report_worker(&report(Claimant::ordinary("one"), 4)).await.unwrap();
    assert_eq!(bed.store.live_workers().await.unwrap(), all, "one row for each name");

    let draining = WorkerReport { draining: true, ..report(Claimant::ordinary("two"), 8) };
    bed.store.report_worker(&draining).await.unwrap();
    assert_eq!(bed.store.live_workers().await.unwrap(), LiveWorkers { ordinary: 1, slots: 4, isolated: 1 });
    bed.store.forget_worker("one").await.unwrap();
    bed.store.forget_worker("nobody").await.unwrap();
    assert_eq!(
        bed.store.live_workers().await.unwrap(),
        LiveWorkers { isolated: 1, ..LiveWorkers::default() }
    );
    assert_eq!(bed.number("SELECT count(*) FROM workers").await, 2);
}
