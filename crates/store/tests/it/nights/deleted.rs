//! What a person deletes or writes over is gone from what a night retired for it, too.

use hive_domain::{CyclePhase, CycleState};
use hive_store::{ChangeKind, ContextChange, RollbackObstacle, RollbackWish, RolledBack};

use super::{OURS, begun, did, entry, fact, holding, publish, slept, to_the_last, visible};
use crate::bed::Bed;

#[tokio::test]
async fn what_says_the_same_as_a_deleted_entry_goes_with_it_and_no_rollback_brings_it_back() {
    let bed = Bed::make().await;
    let a = fact(&bed, "The password is hunter2").await;
    let b = fact(&bed, "the password is hunter2.").await;
    let night = slept(&bed, OURS, CyclePhase::Dedupe, &did(ChangeKind::Merged, None, &[&b], &[&a])).await;
    assert_eq!(visible(&bed).await, ["The password is hunter2"]);
    let deleted = bed.store.delete_context(a.id, "ada").await.unwrap();
    assert_eq!((deleted.gone.len(), holding(&bed, "hunter2").await), (2, 0));
    let back = bed.store.roll_back_cycle(night.id, RollbackWish::default(), "ada").await.unwrap();
    let RolledBack::Conflicts(conflicts) = back else { panic!("{back:?}") };
    let told: Vec<_> = conflicts.iter().map(|conflict| (conflict.entry, conflict.obstacle)).collect();
    let mut expected = vec![(a.id, RollbackObstacle::Deleted), (b.id, RollbackObstacle::Gone)];
    expected.sort_by_key(|(id, _)| *id);
    assert_eq!(told, expected);
    let wish = RollbackWish { force: true, ..RollbackWish::default() };
    assert!(matches!(bed.store.roll_back_cycle(night.id, wish, "ada").await.unwrap(), RolledBack::Done(_)));
    assert!(visible(&bed).await.is_empty());
}

#[tokio::test]
async fn a_retired_entry_whose_keeper_is_gone_holds_a_rollback_up() {
    let bed = Bed::make().await;
    let (a, b) = (fact(&bed, "Tea is at four").await, fact(&bed, "tea is at four").await);
    let night = slept(&bed, OURS, CyclePhase::Dedupe, &did(ChangeKind::Merged, None, &[&b], &[&a])).await;
    // As a build did that deleted the one and not the other.
    bed.execute(&format!("DELETE FROM contexts WHERE id = '{}'", a.id)).await;
    let back = bed.store.roll_back_cycle(night.id, RollbackWish::default(), "ada").await.unwrap();
    let RolledBack::Conflicts(conflicts) = back else { panic!("{back:?}") };
    assert_eq!((conflicts[0].entry, conflicts[0].obstacle), (a.id, RollbackObstacle::Deleted));
    assert!(visible(&bed).await.is_empty());
}

#[tokio::test]
async fn a_merged_entry_is_written_over_and_deleted_with_what_it_was_made_of() {
    let bed = Bed::make().await;
    let a = fact(&bed, "The password is hunter2").await;
    let b = fact(&bed, "hunter2 is the password").await;
    let beside = fact(&bed, "The door is green").await;
    let merged = entry("The password is hunter2.", &a, None);
    let id = merged.id;
    let end = did(ChangeKind::Merged, Some(merged), &[&a, &b], &[&a, &b]);
    slept(&bed, OURS, CyclePhase::Merge, &end).await;
    bed.store.redact_context(id, &["hunter2".to_owned()]).await.unwrap();
    assert_eq!((holding(&bed, "hunter2").await, holding(&bed, "redacted").await), (0, 3));
    let deleted = bed.store.delete_context(id, "ada").await.unwrap();
    assert_eq!((deleted.gone.len(), holding(&bed, "password").await), (3, 0));
    assert_eq!(visible(&bed).await, [beside.content]);
}

#[tokio::test]
async fn twins_of_a_night_that_was_taken_back_stand_for_themselves() {
    let bed = Bed::make().await;
    let (a, b) = (fact(&bed, "Tea is at four").await, fact(&bed, "tea is at four").await);
    let night = slept(&bed, OURS, CyclePhase::Dedupe, &did(ChangeKind::Merged, None, &[&b], &[&a])).await;
    bed.store.roll_back_cycle(night.id, RollbackWish::default(), "ada").await.unwrap();
    let deleted = bed.store.delete_context(a.id, "ada").await.unwrap();
    assert_eq!((deleted.gone, visible(&bed).await), (vec![a.id], vec!["tea is at four".to_owned()]));
}

#[tokio::test]
async fn what_was_written_over_is_gone_from_where_it_was_drawn() {
    let bed = Bed::make().await;
    let turn = super::put(&bed, OURS, "episode", "we set the password to hunter2 today").await;
    let drawn = entry("The password is hunter2", &turn, None);
    let id = drawn.id;
    slept(&bed, OURS, CyclePhase::Extract, &did(ChangeKind::Extracted, Some(drawn), &[], &[&turn])).await;
    bed.store.redact_context(id, &["hunter2".to_owned()]).await.unwrap();
    assert_eq!((holding(&bed, "hunter2").await, holding(&bed, "today").await), (0, 1));
}

/// A night draws on an entry, and is published, while whoever deletes it or writes over it waits for an older row of it.
#[tokio::test]
async fn what_a_night_drew_while_a_deletion_waited_goes_with_it() {
    for way in ["deleted", "written over"] {
        let bed = Bed::make().await;
        let first = fact(&bed, "The password is hunter1").await;
        let edit =
            ContextChange { content: Some("The password is hunter2".to_owned()), ..ContextChange::default() };
        let old = bed.store.change_context(first.id, first.version, &edit, "ada", None).await.unwrap();
        let new = fact(&bed, "The door has no lock").await;
        let lease = begun(&bed, OURS).await;
        let mut holder = bed.pool.begin().await.unwrap();
        let lock = "SELECT FROM contexts WHERE id = $1 FOR UPDATE";
        sqlx::query(lock).bind(first.id.uuid()).execute(&mut *holder).await.unwrap();
        let (store, id) = (bed.store.clone(), old.id);
        let asked = tokio::spawn(async move {
            match way {
                "deleted" => store.delete_context(id, "ada").await.map(drop),
                _ => store.redact_context(id, &["hunter".to_owned()]).await.map(drop),
            }
        });
        let waits = "SELECT count(*) FROM pg_stat_activity
                     WHERE wait_event_type = 'Lock' AND datname = current_database()";
        while bed.number(waits).await == 0 {
            assert!(!asked.is_finished(), "it waits for the older row");
            tokio::task::yield_now().await;
        }
        let drawn = entry("Once the password was hunter2", &old, Some(&new));
        let end = did(ChangeKind::Superseded, Some(drawn), &[&old], &[&old, &new]);
        to_the_last(&bed, &lease, CyclePhase::Extract, CyclePhase::Contradict, &end).await;
        assert_eq!(publish(&bed, lease).await.counts.superseded, 1);
        holder.rollback().await.unwrap();
        asked.await.unwrap().unwrap();
        assert_eq!(holding(&bed, "hunter").await, 0, "{way}");
    }
}

/// Of two that say the same one is deleted between the night's answer and its switch: no word of it is published.
#[tokio::test]
async fn a_merge_of_what_was_deleted_before_the_switch_is_dropped() {
    let bed = Bed::make().await;
    let (a, b) =
        (fact(&bed, "The password is hunter2").await, fact(&bed, "It is a word of seven signs").await);
    let lease = begun(&bed, OURS).await;
    let merged = entry("The password is hunter2, a word of seven signs", &a, None);
    let end = did(ChangeKind::Merged, Some(merged), &[&a, &b], &[&a, &b]);
    to_the_last(&bed, &lease, CyclePhase::Extract, CyclePhase::Merge, &end).await;
    bed.store.delete_context(a.id, "ada").await.unwrap();
    let done = publish(&bed, lease).await;
    assert_eq!((done.state, done.counts.merged), (CycleState::Completed, 0));
    let dropped = bed.store.cycle_changes(done.id, Some("dropped"), None, 10).await.unwrap();
    assert!(dropped[0].reason.contains("somebody changed"), "{dropped:?}");
    assert_eq!((visible(&bed).await, holding(&bed, "hunter").await), (vec![b.content], 0));
}
