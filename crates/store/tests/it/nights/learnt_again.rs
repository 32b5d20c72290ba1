//! What is learnt again is as fresh as what is learnt for the first time.

use chrono::{DateTime, TimeDelta, Utc};
use hive_domain::{ContextId, CyclePhase, TrustClass};
use hive_store::{ChangeKind, Context, ContextChange, NewContext, Remembered, RollbackWish, RolledBack};

use super::{OURS, begun, did, fact, own, publish, put, slept, to_the_last};
use crate::bed::Bed;

async fn aged(bed: &Bed, context: &Context) {
    let sql =
        format!("UPDATE contexts SET recorded_at = now() - interval '900 days' WHERE id = '{}'", context.id);
    bed.execute(&sql).await;
}

/// What a search takes for the time of an entry, and a night does.
async fn fresh_since(bed: &Bed, id: ContextId) -> (DateTime<Utc>, DateTime<Utc>) {
    let owner = bed.store.context(id).await.unwrap().owner;
    let lease = begun(bed, owner).await;
    let items = bed.store.night_items(&lease, 100).await.unwrap();
    bed.store.fail_cycle(lease, "for a look", &[]).await.unwrap();
    let feed = bed.store.context_feed_of("none", &[id]).await.unwrap();
    (feed[0].recorded_at, items.iter().find(|item| item.id == id).unwrap().recorded_at)
}

#[tokio::test]
async fn the_one_that_stays_is_as_fresh_as_the_freshest_that_says_the_same() {
    let bed = Bed::make().await;
    let (old, again) = (fact(&bed, "Tea is at four").await, fact(&bed, "tea is at four").await);
    aged(&bed, &old).await;
    let before: i64 =
        bed.number(&format!("SELECT changed_tx::text::bigint FROM contexts WHERE id = '{}'", old.id)).await;
    slept(&bed, OURS, CyclePhase::Dedupe, &did(ChangeKind::Merged, None, &[&again], &[&old])).await;
    let after: i64 =
        bed.number(&format!("SELECT changed_tx::text::bigint FROM contexts WHERE id = '{}'", old.id)).await;
    assert!(after > before, "an index looks at it again");
    assert_eq!(fresh_since(&bed, old.id).await, (again.recorded_at, again.recorded_at));
    let shown = bed.store.context(old.id).await.unwrap();
    assert_eq!(
        (shown.version, shown.recalled, shown.recalled_at),
        (1, 0, None),
        "nothing else about it changes"
    );
}

#[tokio::test]
async fn a_night_that_is_not_published_or_is_taken_back_leaves_nothing_fresher_than_it_was() {
    let bed = Bed::make().await;
    let (old, again) = (fact(&bed, "Tea is at four").await, fact(&bed, "tea is at four").await);
    aged(&bed, &old).await;
    let before = fresh_since(&bed, old.id).await;
    let merged = did(ChangeKind::Merged, None, &[&again], &[&old]);

    let lease = begun(&bed, OURS).await;
    to_the_last(&bed, &lease, CyclePhase::Extract, CyclePhase::Dedupe, &merged).await;
    let items = bed.store.night_items(&lease, 100).await.unwrap();
    let own = items.iter().find(|item| item.id == old.id).unwrap();
    assert_eq!(own.recorded_at, again.recorded_at, "the night itself does not let it fade");
    let feed = bed.store.context_feed_of("none", &[old.id]).await.unwrap();
    assert_eq!(feed[0].recorded_at, before.0, "nobody else sees what is not published");
    let gate = bed.store.gate_feed(&lease, "none", None, 100).await.unwrap();
    let gate = gate.iter().find(|entry| entry.id == old.id).unwrap();
    assert_eq!(gate.recorded_at, again.recorded_at, "its gate asks what will be");
    bed.store.fail_cycle(lease, "a test says so", &[]).await.unwrap();
    assert_eq!(fresh_since(&bed, old.id).await, before);

    let night = slept(&bed, OURS, CyclePhase::Dedupe, &merged).await;
    assert_eq!(fresh_since(&bed, old.id).await.0, again.recorded_at);
    let changed = format!("SELECT changed_tx::text::bigint FROM contexts WHERE id = '{}'", old.id);
    let published: i64 = bed.number(&changed).await;
    let back = bed.store.roll_back_cycle(night.id, RollbackWish::default(), "ada").await.unwrap();
    assert!(matches!(back, RolledBack::Done(_)), "{back:?}");
    assert_eq!(fresh_since(&bed, old.id).await, before);
    assert!(bed.number(&changed).await > published, "an index looks at it again");
}

#[tokio::test]
async fn what_somebody_changed_before_the_switch_renews_nothing() {
    let bed = Bed::make().await;
    let (old, again) = (fact(&bed, "Tea is at four").await, fact(&bed, "tea is at four").await);
    aged(&bed, &old).await;
    let before = fresh_since(&bed, old.id).await;
    let lease = begun(&bed, OURS).await;
    let merged = did(ChangeKind::Merged, None, &[&again], &[&old]);
    to_the_last(&bed, &lease, CyclePhase::Extract, CyclePhase::Dedupe, &merged).await;
    let edit = ContextChange { content: Some("Tea is at five".to_owned()), ..ContextChange::default() };
    bed.store.change_context(again.id, again.version, &edit, "ada", None).await.unwrap();
    publish(&bed, lease).await;
    assert_eq!(fresh_since(&bed, old.id).await, before);
}

#[tokio::test]
async fn what_is_remembered_already_is_fresh_again() {
    let bed = Bed::make().await;
    let known = put(&bed, own(&bed), "fact", "The shop needs the pg feature").await;
    aged(&bed, &known).await;
    let lease = bed.claim(bed.enqueue().await).await;
    let new = NewContext {
        id: ContextId::new(),
        owner: own(&bed),
        parent: None,
        follows: None,
        kind: "fact".to_owned(),
        title: String::new(),
        content: known.content.clone(),
        trust: TrustClass::Agent,
        author: "test".to_owned(),
        origin: None,
        sources: Vec::new(),
        valid_from: None,
        valid_to: None,
        importance: 0.5,
        pinned: false,
    };
    assert_eq!(bed.store.remember(&lease, &new, None).await.unwrap(), Remembered::Known(known.id));
    let (found, slept) = fresh_since(&bed, known.id).await;
    let now = bed.store.now().await.unwrap();
    assert!(now - found < TimeDelta::hours(1) && found == slept, "{found} {slept}");
}
