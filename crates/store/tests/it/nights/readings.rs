//! What nights read is not read again, and what they fail over stops none for ever.

use hive_domain::{CyclePhase, TaskId};
use hive_store::PhaseEnd;

use super::{OURS, begun, own, publish, put, to_the_last};
use crate::bed::{Bed, outcome};

async fn lived_through(bed: &Bed) -> TaskId {
    let task = bed.enqueue().await;
    bed.settle(task, &outcome("done")).await;
    bed.execute(&format!(
        "UPDATE tasks SET assigned_agent_id = '{}', next_seq = 5 WHERE id = '{task}'",
        bed.agent
    ))
    .await;
    task
}

#[tokio::test]
async fn a_journal_that_two_nights_failed_over_is_left_out_of_the_third() {
    let bed = Bed::make().await;
    let (poisoned, fine) = (lived_through(&bed).await, lived_through(&bed).await);
    for nights in 0..2 {
        let lease = begun(&bed, own(&bed)).await;
        assert_eq!(bed.store.unread_tasks(&lease, 10).await.unwrap(), [poisoned, fine], "after {nights}");
        bed.store.fail_cycle(lease, "an answer of no form", &[poisoned.uuid()]).await.unwrap();
    }
    let lease = begun(&bed, own(&bed)).await;
    assert_eq!(bed.store.unread_tasks(&lease, 10).await.unwrap(), [fine]);
    assert_eq!(bed.store.failed_over(&lease, 10).await.unwrap(), [(poisoned.uuid(), 2)], "and it is known");
}

#[tokio::test]
async fn what_a_night_has_read_is_read_though_it_skipped_something_else() {
    let bed = Bed::make().await;
    let (read, skipped) = (lived_through(&bed).await, lived_through(&bed).await);
    let turn = put(&bed, own(&bed), "episode", "we painted the door green").await;
    let other = put(&bed, own(&bed), "episode", "we painted the wall blue").await;
    let lease = begun(&bed, own(&bed)).await;
    let end = PhaseEnd {
        read: vec![read.uuid(), turn.id.uuid()],
        skipped: vec![serde_json::json!({ "phase": "extract", "what": "x", "count": 1, "why": "money" })],
        ..PhaseEnd::default()
    };
    to_the_last(&bed, &lease, CyclePhase::Extract, CyclePhase::Extract, &end).await;
    publish(&bed, lease).await;
    let lease = begun(&bed, own(&bed)).await;
    assert_eq!(bed.store.unread_tasks(&lease, 10).await.unwrap(), [skipped]);
    let items = bed.store.night_items(&lease, 10).await.unwrap();
    let new: Vec<_> = items.iter().map(|item| (item.id, item.is_new)).collect();
    assert_eq!(new, [(other.id, true)], "a turn that was read is not read again");
    bed.store.fail_cycle(lease, "enough", &[]).await.unwrap();
    let project = begun(&bed, OURS).await;
    assert!(bed.store.unread_tasks(&project, 10).await.unwrap().is_empty(), "a project has no journal");
}
