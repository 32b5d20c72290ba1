//! Large texts by content.

use hive_domain::TaskId;
use hive_store::{Error, artifacts::MAX_ARTIFACT_BYTES};

use crate::bed::Bed;

#[tokio::test]
async fn a_body_comes_back_and_is_stored_once() {
    let bed = Bed::make().await;
    let (one, other) = (bed.enqueue().await, bed.enqueue().await);
    bed.claim(one).await;
    bed.claim(other).await;
    let body = b"a\0\xffb";
    let hash = bed.store.put_artifact(one, 1, "diff", "text/x-diff", body).await.unwrap();
    assert_eq!(bed.store.put_artifact(other, 1, "step-1-t", "text/plain", body).await.unwrap(), hash);
    assert_eq!(bed.store.artifact(one, "diff").await.unwrap(), ("text/x-diff".to_owned(), body.to_vec()));
    assert_eq!(
        bed.store.artifact(other, "step-1-t").await.unwrap(),
        ("text/plain".to_owned(), body.to_vec())
    );
    let stored: (String, i64) = sqlx::query_as("SELECT encode(sha256(body), 'hex'), bytes FROM artifacts")
        .fetch_one(&bed.pool)
        .await
        .unwrap();
    assert_eq!(stored, (hash, 4));
}

#[tokio::test]
async fn a_name_shows_the_last_body() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    bed.claim(id).await;
    for body in ["first", "second", "second"] {
        bed.store.put_artifact(id, 1, "diff", "text/plain", body.as_bytes()).await.unwrap();
    }
    assert_eq!(bed.store.artifact(id, "diff").await.unwrap().1, b"second");
    assert_eq!(bed.number("SELECT count(*) FROM task_artifacts").await, 1);
}

#[tokio::test]
async fn an_overtaken_run_shows_nothing() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let old = bed.claim(id).await;
    bed.orphan(id).await;
    let new = bed.claim(id).await;
    bed.store.put_artifact(id, new.epoch(), "diff", "text/plain", b"new").await.unwrap();
    for epoch in [old.epoch(), new.epoch() + 1] {
        let refused = bed.store.put_artifact(id, epoch, "diff", "text/plain", b"old").await.unwrap_err();
        assert!(matches!(refused, Error::Fenced { .. }), "{refused:?}");
    }
    assert_eq!(bed.store.artifact(id, "diff").await.unwrap().1, b"new");
    assert_eq!(bed.number("SELECT count(*) FROM artifacts").await, 1);
}

#[tokio::test]
async fn many_writers_of_the_same_body_do_not_disturb_each_other() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    bed.claim(id).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..12 {
        let store = bed.store.clone();
        writers.spawn(async move {
            store
                .put_artifact(id, 1, &format!("step-{}", writer % 4), "text/plain", b"the same")
                .await
                .unwrap()
        });
    }
    writers.join_all().await;
    assert_eq!(bed.number("SELECT count(*) FROM artifacts").await, 1);
    assert_eq!(bed.number("SELECT count(*) FROM task_artifacts").await, 4);
}

#[tokio::test]
async fn what_is_too_large_or_missing_is_named() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    bed.claim(id).await;
    let largest = vec![b'x'; MAX_ARTIFACT_BYTES];
    bed.store.put_artifact(id, 1, "large", "text/plain", &largest).await.unwrap();
    let mut larger = largest;
    larger.push(b'x');
    let refused = bed.store.put_artifact(id, 1, "larger", "text/plain", &larger).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid { field: "/body", .. }), "{refused:?}");
    for (task, name) in [(id, "larger"), (TaskId::new(), "large")] {
        let missing = bed.store.artifact(task, name).await.unwrap_err();
        assert!(matches!(missing, Error::NotFound { what: "artifact", .. }), "{missing:?}");
    }
}
