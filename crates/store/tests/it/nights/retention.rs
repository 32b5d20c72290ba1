//! A night can be taken back until what it left behind is removed; then it says so.

use hive_domain::{CyclePhase, CycleState};
use hive_store::{ChangeKind, ContextChange, Error, RollbackWish, RolledBack};

use super::{OURS, did, entry, fact, slept, visible};
use crate::bed::Bed;

const DUTY: &str = "memory_retention";

async fn age(bed: &Bed, days: i32) {
    bed.execute(&format!(
        "UPDATE sleep_cycles SET finished_at = finished_at - interval '{days} days';
         UPDATE contexts SET recorded_at = recorded_at - interval '{days} days',
                             valid_from = valid_from - interval '{days} days', valid_to = valid_to - interval '{days} days';
         UPDATE context_tombstones SET deleted_at = deleted_at - interval '{days} days'"
    ))
    .await;
}

#[tokio::test]
async fn an_old_night_leaves_what_it_published_and_cannot_be_taken_back_any_more() {
    let bed = Bed::make().await;
    let (a, b) = (fact(&bed, "The port is 8080").await, fact(&bed, "8080 is the port").await);
    let merged = entry("The port is 8080.", &a, None);
    let end = did(ChangeKind::Merged, Some(merged), &[&a, &b], &[&a, &b]);
    let night = slept(&bed, OURS, CyclePhase::Merge, &end).await;
    let old = fact(&bed, "Tea is at four").await;
    let edit = ContextChange { content: Some("Tea is at five".to_owned()), ..ContextChange::default() };
    bed.store.change_context(old.id, old.version, &edit, "ada", None).await.unwrap();
    let gone = fact(&bed, "hunter2").await;
    bed.store.delete_context(gone.id, "ada").await.unwrap();
    let rows = "SELECT (SELECT count(*) FROM contexts) + (SELECT count(*) FROM sleep_changes)
                     + (SELECT count(*) FROM context_tombstones)";
    // Three of the merge, two of the tea; a change; a mark.
    assert_eq!(bed.number(rows).await, 7);

    age(&bed, 399).await;
    assert_eq!(bed.keep_house(DUTY, false).await.removed_rows, 0, "400 days are kept");
    age(&bed, 2).await;
    let trial = bed.keep_house(DUTY, true).await;
    assert_eq!((trial.removed_rows, &trial.report["sleep_cycles"]), (5, &1.into()), "{:?}", trial.report);
    assert_eq!(bed.number(rows).await, 7, "a dry run removes nothing");
    assert_eq!(bed.number("SELECT count(*) FROM sleep_cycles WHERE pruned_at IS NOT NULL").await, 0);
    let done = bed.keep_house(DUTY, false).await;
    assert_eq!((done.removed_rows, bed.number(rows).await), (5, 2), "{:?}", done.report);
    assert_eq!(visible(&bed).await, ["Tea is at five", "The port is 8080."]);

    let kept = bed.store.sleep_cycle(night.id).await.unwrap();
    assert_eq!((kept.state, kept.counts.merged), (CycleState::Completed, 2), "what it did is still told");
    for force in [false, true] {
        let wish = RollbackWish { force, ..RollbackWish::default() };
        let refused = bed.store.roll_back_cycle(night.id, wish, "ada").await.unwrap_err();
        let Error::Conflict { code, message } = refused else { panic!("{refused:?}") };
        assert_eq!(code, "sleep_cycle_pruned");
        assert!(message.contains(DUTY), "{message}");
    }
    assert_eq!(visible(&bed).await, ["Tea is at five", "The port is 8080."]);
}

#[tokio::test]
async fn a_night_that_is_not_old_is_taken_back_as_ever() {
    let bed = Bed::make().await;
    let (a, b) = (fact(&bed, "The port is 8080").await, fact(&bed, "8080 is the port").await);
    let end = did(ChangeKind::Merged, Some(entry("The port is 8080.", &a, None)), &[&a, &b], &[&a, &b]);
    let night = slept(&bed, OURS, CyclePhase::Merge, &end).await;
    age(&bed, 399).await;
    bed.keep_house(DUTY, false).await;
    let back = bed.store.roll_back_cycle(night.id, RollbackWish::default(), "ada").await.unwrap();
    assert!(matches!(back, RolledBack::Done(_)), "{back:?}");
    assert_eq!(visible(&bed).await, ["8080 is the port", "The port is 8080"]);
    // What it brought is nobody's any more.
    age(&bed, 2).await;
    assert_eq!(bed.keep_house(DUTY, false).await.report["contexts"], 1);
    assert_eq!(visible(&bed).await, ["8080 is the port", "The port is 8080"]);
}
