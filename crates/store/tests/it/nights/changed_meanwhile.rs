//! What somebody changes while a night reads, asks or waits for its switch is not drawn on.

use hive_domain::{ContextId, CyclePhase, CycleState};
use hive_store::{ChangeKind, Context, ContextChange, PhaseEnd};

use super::{OURS, begun, did, entry, fact, own, publish, put, to_the_last, visible};
use crate::bed::Bed;

async fn dropped(bed: &Bed, id: hive_domain::CycleId) -> Vec<Vec<ContextId>> {
    let changes = bed.store.cycle_changes(id, Some("dropped"), None, 10).await.unwrap();
    changes.into_iter().map(|change| change.sources.into_iter().map(|source| source.id).collect()).collect()
}

fn drawn(from: &Context) -> PhaseEnd {
    let fact = entry("The password is hunter2", from, None);
    did(ChangeKind::Extracted, Some(fact), &[], &[from])
}

#[tokio::test]
async fn what_was_written_over_while_the_model_read_it_brings_nothing() {
    let bed = Bed::make().await;
    let turn = put(&bed, OURS, "episode", "we set the password to hunter2 today").await;
    let lease = begun(&bed, OURS).await;
    bed.store.redact_context(turn.id, &["hunter2".to_owned()]).await.unwrap();
    // The answer to what was asked before comes now.
    to_the_last(&bed, &lease, CyclePhase::Extract, CyclePhase::Extract, &drawn(&turn)).await;
    let done = publish(&bed, lease).await;
    assert_eq!((done.state, done.counts.extracted), (CycleState::Completed, 0));
    assert_eq!(dropped(&bed, done.id).await, [[turn.id]]);
    assert_eq!(super::holding(&bed, "hunter2").await, 0);
}

#[tokio::test]
async fn what_was_changed_before_the_switch_brings_nothing_either() {
    let bed = Bed::make().await;
    let turn = put(&bed, OURS, "episode", "we set the password to hunter2 today").await;
    let lease = begun(&bed, OURS).await;
    to_the_last(&bed, &lease, CyclePhase::Extract, CyclePhase::Extract, &drawn(&turn)).await;
    let edit = ContextChange { content: Some("we set no password".to_owned()), ..ContextChange::default() };
    bed.store.change_context(turn.id, turn.version, &edit, "ada", None).await.unwrap();
    let done = publish(&bed, lease).await;
    assert_eq!(dropped(&bed, done.id).await, [[turn.id]]);
    assert_eq!(visible(&bed).await, ["we set no password"]);
}

#[tokio::test]
async fn a_lesson_that_was_changed_does_not_rise() {
    let bed = Bed::make().await;
    let lesson = put(&bed, own(&bed), "lesson", "Warm the cache").await;
    let lease = begun(&bed, own(&bed)).await;
    let mut rise = entry("Warm the cache", &lesson, None);
    rise.owner = OURS;
    let end = did(ChangeKind::Promoted, Some(rise), &[], &[&lesson]);
    to_the_last(&bed, &lease, CyclePhase::Extract, CyclePhase::Promote, &end).await;
    let edit = ContextChange { content: Some("Cool the cache".to_owned()), ..ContextChange::default() };
    bed.store.change_context(lesson.id, lesson.version, &edit, "ada", None).await.unwrap();
    let done = publish(&bed, lease).await;
    assert_eq!(
        (dropped(&bed, done.id).await, visible(&bed).await),
        (vec![vec![lesson.id]], vec!["Cool the cache".to_owned()])
    );
}

#[tokio::test]
async fn a_deleted_source_costs_a_night_what_was_drawn_from_it_and_nothing_else() {
    let bed = Bed::make().await;
    let gone = put(&bed, OURS, "episode", "we set the password to hunter2 today").await;
    let stays = put(&bed, OURS, "episode", "we painted the door green").await;
    let lease = begun(&bed, OURS).await;
    bed.store.delete_context(gone.id, "ada").await.unwrap();
    let mut end = drawn(&gone);
    let door = entry("The door is green", &stays, None);
    end.changes.extend(did(ChangeKind::Extracted, Some(door), &[], &[&stays]).changes);
    to_the_last(&bed, &lease, CyclePhase::Extract, CyclePhase::Extract, &end).await;
    let done = publish(&bed, lease).await;
    assert_eq!((done.state, done.counts.extracted), (CycleState::Completed, 1));
    assert_eq!(dropped(&bed, done.id).await, [[gone.id]]);
    assert_eq!(visible(&bed).await, ["The door is green", "we painted the door green"]);
}

#[tokio::test]
async fn an_entry_stays_open_when_the_later_one_is_deleted_or_changed() {
    let bed = Bed::make().await;
    for way in ["deleted", "changed"] {
        let old = fact(&bed, "The queue holds 500").await;
        let new = fact(&bed, "The queue holds 900").await;
        let lease = begun(&bed, OURS).await;
        let closed = entry("The queue holds 500", &old, Some(&new));
        let end = did(ChangeKind::Superseded, Some(closed), &[&old], &[&old, &new]);
        to_the_last(&bed, &lease, CyclePhase::Extract, CyclePhase::Contradict, &end).await;
        if way == "deleted" {
            bed.store.delete_context(new.id, "ada").await.unwrap();
        } else {
            let edit =
                ContextChange { content: Some("The list holds 900".to_owned()), ..ContextChange::default() };
            bed.store.change_context(new.id, new.version, &edit, "ada", None).await.unwrap();
        }
        let done = publish(&bed, lease).await;
        assert_eq!((done.state, done.counts.superseded), (CycleState::Completed, 0));
        assert!(visible(&bed).await.contains(&"The queue holds 500".to_owned()), "{way}");
        bed.execute("DELETE FROM contexts").await;
    }
}

#[tokio::test]
async fn an_overtaken_entry_is_not_drawn_from_what_overtook_it() {
    let bed = Bed::make().await;
    let (old, new) = (fact(&bed, "The queue holds 500").await, fact(&bed, "The queue holds 900").await);
    let closed = entry("The queue holds 500", &old, Some(&new));
    let id = closed.id;
    let end = did(ChangeKind::Superseded, Some(closed), &[&old], &[&old, &new]);
    super::slept(&bed, OURS, CyclePhase::Contradict, &end).await;
    assert_eq!(bed.store.context(id).await.unwrap().sources, [old.id]);
    assert_eq!(visible(&bed).await, ["The queue holds 900"]);
    let deleted = bed.store.delete_context(new.id, "ada").await.unwrap();
    assert_eq!((deleted.gone, deleted.flagged), (vec![new.id], Vec::new()));
}
