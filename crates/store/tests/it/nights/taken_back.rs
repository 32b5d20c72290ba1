//! Taking a night back: what was built on it is found by what it names, not by when it was asked for.

use hive_domain::CyclePhase;
use hive_store::{
    ChangeKind, Context, ContextChange, Error, PhaseEnd, RollbackObstacle, RollbackWish, RolledBack,
};

use super::{OURS, begun, did, entry, fact, own, publish, put, slept, to_the_last, visible};
use crate::bed::Bed;

/// A lesson of the agent that its night brings to the project.
async fn risen(bed: &Bed) -> (hive_domain::CycleId, Context) {
    let lesson = put(bed, own(bed), "lesson", "Warm the cache").await;
    let mut rise = entry("Warm the cache", &lesson, None);
    rise.owner = OURS;
    let id = rise.id;
    let end = did(ChangeKind::Promoted, Some(rise), &[], &[&lesson]);
    let night = slept(bed, own(bed), CyclePhase::Promote, &end).await;
    (night.id, bed.store.context(id).await.unwrap())
}

#[tokio::test]
async fn a_night_that_began_earlier_and_was_published_later_stands_in_the_way() {
    let bed = Bed::make().await;
    let said = fact(&bed, "Warm up before").await;
    // The project's night begins first, and waits for its answers.
    let project = begun(&bed, OURS).await;
    for phase in [CyclePhase::Extract, CyclePhase::Dedupe] {
        bed.store.finish_phase(&project, phase, &PhaseEnd::default()).await.unwrap();
    }
    let (night, rise) = risen(&bed).await;
    let end = did(ChangeKind::Merged, None, &[&said], &[&rise]);
    to_the_last(&bed, &project, CyclePhase::Merge, CyclePhase::Merge, &end).await;
    let project = publish(&bed, project).await;
    assert_eq!(visible(&bed).await, ["Warm the cache", "Warm the cache"]);

    let back = bed.store.roll_back_cycle(night, RollbackWish::default(), "ada").await.unwrap();
    let RolledBack::Conflicts(conflicts) = back else { panic!("{back:?}") };
    assert_eq!(
        (conflicts[0].entry, conflicts[0].obstacle),
        (rise.id, RollbackObstacle::LaterCycle(project.id))
    );
    let wish = RollbackWish { with_later: true, ..RollbackWish::default() };
    let RolledBack::Done(done) = bed.store.roll_back_cycle(night, wish, "ada").await.unwrap() else {
        panic!()
    };
    let order: Vec<_> = done.iter().map(|cycle| cycle.id).collect();
    assert_eq!(order, [project.id, night], "the one that was published last comes first");
    assert_eq!(visible(&bed).await, ["Warm the cache", "Warm up before"]);
}

#[tokio::test]
async fn a_night_that_is_open_on_a_memory_that_was_changed_is_waited_for() {
    let bed = Bed::make().await;
    let (night, rise) = risen(&bed).await;
    let said = fact(&bed, "Warm up before").await;
    let project = begun(&bed, OURS).await;
    let end = did(ChangeKind::Merged, None, &[&said], &[&rise]);
    to_the_last(&bed, &project, CyclePhase::Extract, CyclePhase::Merge, &end).await;
    let refused = bed.store.roll_back_cycle(night, RollbackWish::default(), "ada").await.unwrap_err();
    assert!(matches!(refused, Error::Conflict { code: "sleep_cycle_open", .. }), "{refused}");
    publish(&bed, project).await;
    let back = bed.store.roll_back_cycle(night, RollbackWish::default(), "ada").await.unwrap();
    assert!(matches!(back, RolledBack::Conflicts(_)), "{back:?}");
}

async fn rewrite(bed: &Bed, entry: &Context, content: &str) -> Context {
    let edit = ContextChange { content: Some(content.to_owned()), ..ContextChange::default() };
    bed.store.change_context(entry.id, entry.version, &edit, "ada", None).await.unwrap()
}

#[tokio::test]
async fn what_was_built_on_an_entry_that_people_wrote_over_stands_in_the_way_too() {
    let bed = Bed::make().await;
    let (night, rise) = risen(&bed).await;
    let written = rewrite(&bed, &rise, "Warm all caches").await;
    let said = fact(&bed, "Warm up before").await;
    let merged = entry("Warm all caches before", &said, None);
    let end = did(ChangeKind::Merged, Some(merged), &[&said, &written], &[&said, &written]);
    let project = slept(&bed, OURS, CyclePhase::Merge, &end).await;
    let force = RollbackWish { force: true, ..RollbackWish::default() };
    let back = bed.store.roll_back_cycle(night, force, "ada").await.unwrap();
    let RolledBack::Conflicts(conflicts) = back else { panic!("{back:?}") };
    assert_eq!(
        (conflicts[0].entry, conflicts[0].obstacle),
        (written.id, RollbackObstacle::LaterCycle(project.id))
    );
    let all = RollbackWish { force: true, with_later: true };
    let RolledBack::Done(done) = bed.store.roll_back_cycle(night, all, "ada").await.unwrap() else {
        panic!()
    };
    assert_eq!(done.len(), 2);
    assert_eq!(visible(&bed).await, ["Warm the cache", "Warm up before"]);
}

#[tokio::test]
async fn what_comes_back_beside_a_text_that_people_corrected_is_named_first() {
    let bed = Bed::make().await;
    let (kept, twin) = (fact(&bed, "The port is 8080").await, fact(&bed, "the port is 8080").await);
    let end = did(ChangeKind::Merged, None, &[&twin], &[&kept]);
    let night = slept(&bed, OURS, CyclePhase::Dedupe, &end).await;
    rewrite(&bed, &kept, "The port is 9090").await;
    let back = bed.store.roll_back_cycle(night.id, RollbackWish::default(), "ada").await.unwrap();
    let RolledBack::Conflicts(conflicts) = back else { panic!("{back:?}") };
    assert_eq!((conflicts[0].entry, conflicts[0].obstacle), (kept.id, RollbackObstacle::Changed));
    assert_eq!(visible(&bed).await, ["The port is 9090"]);
    let force = RollbackWish { force: true, ..RollbackWish::default() };
    assert!(matches!(bed.store.roll_back_cycle(night.id, force, "ada").await.unwrap(), RolledBack::Done(_)));
    assert_eq!(visible(&bed).await, ["The port is 9090", "the port is 8080"]);
}
