//! Taking a night back: what was built on it is found by what it names, not by when it was asked for.

use hive_domain::CyclePhase;
use hive_store::{ChangeKind, Error, PhaseEnd, RollbackObstacle, RollbackWish, RolledBack};

use super::{OURS, begun, did, entry, fact, own, publish, put, slept, to_the_last, visible};
use crate::bed::Bed;

/// A lesson of the agent that its night brings to the project.
async fn risen(bed: &Bed) -> (hive_domain::CycleId, hive_store::Context) {
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
