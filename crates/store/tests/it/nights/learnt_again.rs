//! What is learnt again is as fresh as what is learnt for the first time.

use chrono::{DateTime, TimeDelta, Utc};
use hive_domain::{ContextId, CyclePhase, TrustClass};
use hive_store::{ChangeKind, Context, NewContext, Remembered};

use super::{OURS, begun, did, fact, own, put, slept};
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
