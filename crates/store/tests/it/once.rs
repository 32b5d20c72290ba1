//! Requests that are carried out once, however often they are sent.

use hive_store::{Attempt, Error, KeptAnswer, Once, RequestKey, Store};

use crate::bed::{Bed, connect};

fn key(name: &str, fingerprint: u8) -> RequestKey {
    RequestKey { owner: "ada".to_owned(), key: name.to_owned(), fingerprint: [fingerprint; 32] }
}

fn answer(body: &str) -> KeptAnswer {
    KeptAnswer { status: 201, location: Some("/there".to_owned()), body: body.to_owned() }
}

async fn first(store: &Store, key: &RequestKey) -> Once {
    match store.attempt(Some(key)).await.unwrap() {
        Attempt::First(once) => once,
        Attempt::Again(answer) => panic!("{answer:?}"),
    }
}

async fn again(store: &Store, key: &RequestKey) -> KeptAnswer {
    match store.attempt(Some(key)).await.unwrap() {
        Attempt::Again(answer) => answer,
        Attempt::First(_) => panic!("it was not carried out before"),
    }
}

#[tokio::test]
async fn fifty_at_once_make_one_task_and_get_one_answer() {
    let bed = Bed::make().await;
    let stores = [bed.store.clone(), connect(&bed.database)];
    let start = std::sync::Arc::new(tokio::sync::Barrier::new(50));
    let mut requests = tokio::task::JoinSet::new();
    for n in 0..50 {
        let (store, new) = (stores[n % 2].clone(), bed.new_task());
        let start = std::sync::Arc::clone(&start);
        requests.spawn(async move {
            start.wait().await;
            match store.attempt(Some(&key("once", 1))).await.unwrap() {
                Attempt::Again(answer) => answer,
                Attempt::First(mut once) => {
                    let task = once.enqueue(&new).await.unwrap();
                    let answer = answer(&task.id.to_string());
                    once.finish(&answer).await.unwrap();
                    answer
                }
            }
        });
    }
    let answers = requests.join_all().await;
    assert_eq!(bed.number("SELECT count(*) FROM tasks").await, 1);
    let made: uuid::Uuid = sqlx::query_scalar("SELECT id FROM tasks").fetch_one(&bed.pool).await.unwrap();
    for given in answers {
        assert_eq!(given, answer(&made.to_string()));
    }
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let bed = Bed::make().await;
    first(&bed.store, &key("a", 1)).await.finish(&answer("{}")).await.unwrap();
    for attempt in [
        bed.store.attempt(Some(&key("a", 2))).await.map(drop),
        bed.store.earlier_answer(&key("a", 2)).await.map(drop),
    ] {
        let error = attempt.unwrap_err();
        assert!(matches!(&error, Error::KeyReused { key } if key == "a"), "{error:?}");
    }
    assert_eq!(again(&bed.store, &key("a", 1)).await, answer("{}"));
    assert_eq!(bed.store.earlier_answer(&key("b", 1)).await.unwrap(), None);
    let other = RequestKey { owner: "bob".to_owned(), ..key("a", 2) };
    first(&bed.store, &other).await.finish(&answer("bob's")).await.unwrap();
    assert_eq!(again(&bed.store, &other).await, answer("bob's"), "keys of different callers do not meet");
}

#[tokio::test]
async fn a_refused_request_leaves_neither_key_nor_effect() {
    let bed = Bed::make().await;
    let mut once = first(&bed.store, &key("a", 1)).await;
    let task = once.enqueue(&bed.new_task()).await.unwrap();
    let mut bad = bed.new_task();
    bad.dependencies = vec![hive_domain::TaskId::new()];
    let error = once.enqueue(&bad).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "/dependencies", .. }), "{error:?}");
    assert!(once.enqueue(&bed.new_task()).await.is_err(), "nothing more goes into a refused transaction");
    assert!(once.finish(&answer("{}")).await.is_err(), "nor can it be finished");
    assert!(matches!(bed.store.task(task.id).await, Err(Error::NotFound { .. })));

    // The process ends in between: the next request finds the key free.
    let mut once = first(&bed.store, &key("a", 2)).await;
    once.enqueue(&bed.new_task()).await.unwrap();
    drop(once);
    let once = first(&bed.store, &key("a", 3)).await;
    once.finish(&answer("{}")).await.unwrap();
    assert_eq!(bed.number("SELECT count(*) FROM tasks").await, 0);
    assert_eq!(bed.number("SELECT count(*) FROM idempotency_keys").await, 1);
}

#[tokio::test]
async fn who_comes_second_waits_for_the_first() {
    let bed = Bed::make().await;
    let once = first(&bed.store, &key("a", 1)).await;
    let store = bed.store.clone();
    let second = tokio::spawn(async move { again(&store, &key("a", 1)).await });
    crate::bed::eventually("the second waits for a lock", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE wait_event_type = 'Lock' AND datname = current_database()";
        bed.number(waiting).await == 1
    })
    .await;
    assert!(!second.is_finished());
    once.finish(&answer("the first's")).await.unwrap();
    assert_eq!(second.await.unwrap(), answer("the first's"));
}

#[tokio::test]
async fn old_keys_are_forgotten_and_others_are_kept() {
    let bed = Bed::make().await;
    for name in ["old", "new"] {
        first(&bed.store, &key(name, 1)).await.finish(&answer("{}")).await.unwrap();
    }
    bed.execute(
        "UPDATE idempotency_keys SET created_at = now() - CASE key WHEN 'old' THEN interval '48 h 1 min'
                                                                   ELSE interval '47 h 59 min' END",
    )
    .await;
    assert_eq!(bed.keep_house("idempotency_keys", true).await.removed_rows, 1);
    assert_eq!(bed.keep_house("idempotency_keys", false).await.removed_rows, 1);
    assert_eq!(bed.store.earlier_answer(&key("old", 1)).await.unwrap(), None);
    assert_eq!(bed.store.earlier_answer(&key("new", 1)).await.unwrap(), Some(answer("{}")));
    assert_eq!(bed.keep_house("idempotency_keys", false).await.removed_rows, 0);
}
