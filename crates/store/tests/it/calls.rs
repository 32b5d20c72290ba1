//! Calls to the model: an intent first, then its outcome.

use hive_domain::{NanoUsd, Usage};
use hive_store::{CallOutcome, Error, NewStep};

use crate::bed::{Bed, note, outcome};

fn failed(usage: Usage) -> CallOutcome {
    CallOutcome { error: "overloaded".to_owned(), request_id: None, usage: Some(usage) }
}

#[tokio::test]
async fn an_intent_names_the_step_it_becomes() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    bed.append_note(&mut lease, "one").await;
    let call = bed.store.begin_call(&lease, "claude", b"hash").await.unwrap().unwrap();
    let stored: (i32, i64, String, Vec<u8>, String) =
        sqlx::query_as("SELECT seq, epoch, model, request_sha256, state::text FROM llm_calls WHERE id = $1")
            .bind(call)
            .fetch_one(&bed.pool)
            .await
            .unwrap();
    assert_eq!(stored, (2, 1, "claude".to_owned(), b"hash".to_vec(), "intent".to_owned()));
}

#[tokio::test]
async fn a_call_that_failed_without_a_charge_leaves_the_task_alone() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    let call = bed.store.begin_call(&lease, "claude", b"hash").await.unwrap().unwrap();
    bed.store.fail_call(&lease, call, &failed(Usage::default())).await.unwrap();
    assert_eq!(bed.task(id).await.usage, Usage::default());
    let noted = "SELECT count(*) FROM llm_calls
                 WHERE state = 'failed' AND error = 'overloaded' AND finished_at IS NOT NULL";
    assert_eq!(bed.number(noted).await, 1);
}

#[tokio::test]
async fn what_is_known_of_a_call_stays() {
    let bed = Bed::make().await;
    let (id, other) = (bed.enqueue().await, bed.enqueue().await);
    let (mut lease, other) = (bed.claim(id).await, bed.claim(other).await);
    let failed_call = bed.store.begin_call(&lease, "claude", b"hash").await.unwrap().unwrap();
    bed.store.fail_call(&lease, failed_call, &failed(Usage::default())).await.unwrap();
    let foreign_call = bed.store.begin_call(&other, "claude", b"hash").await.unwrap().unwrap();
    let entry = note("a step");
    for call in [failed_call, foreign_call] {
        let step = NewStep { call: Some(call), ..NewStep::plain(&entry) };
        bed.store.append(&mut lease, &step).await.unwrap();
    }
    let states: Vec<String> = sqlx::query_scalar("SELECT state::text FROM llm_calls ORDER BY id")
        .fetch_all(&bed.pool)
        .await
        .unwrap();
    assert_eq!(states, ["failed", "intent"]);
}

#[tokio::test]
async fn a_charge_is_added_once_under_concurrency() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    let usage = Usage {
        input_tokens: 1,
        output_tokens: 2,
        cache_read_tokens: 3,
        cache_write_tokens: 4,
        cache_write_1h_tokens: 0,
        cost: NanoUsd(5),
    };
    let mut calls = Vec::new();
    for _ in 0..5 {
        calls.push(bed.store.begin_call(&lease, "claude", b"hash").await.unwrap().unwrap());
    }
    let mut tellers = tokio::task::JoinSet::new();
    for call in calls.iter().chain(&calls).copied() {
        let (store, lease) = (bed.store.clone(), hive_domain::Lease::new((), id, lease.epoch(), 1));
        tellers.spawn(async move { store.fail_call(&lease, call, &failed(usage)).await.unwrap() });
    }
    tellers.join_all().await;
    let expected = std::iter::repeat_n(usage, 5).sum::<Usage>();
    assert_eq!(bed.task(id).await.usage, expected);
}

#[tokio::test]
async fn no_call_begins_without_the_lease() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    bed.settle_with(&lease, &outcome("wait")).await;
    let error = bed.store.begin_call(&lease, "claude", b"hash").await.unwrap_err();
    assert!(matches!(error, Error::Fenced { .. }), "{error:?}");
    assert_eq!(bed.number("SELECT count(*) FROM llm_calls").await, 0);
}

#[tokio::test]
async fn a_null_character_in_an_error_is_no_obstacle() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    let call = bed.store.begin_call(&lease, "claude", b"hash").await.unwrap().unwrap();
    let outcome = CallOutcome { error: "b\0ad".to_owned(), ..failed(Usage::default()) };
    bed.store.fail_call(&lease, call, &outcome).await.unwrap();
    let told: String = sqlx::query_scalar("SELECT error FROM llm_calls").fetch_one(&bed.pool).await.unwrap();
    assert_eq!(told, "b\u{fffd}ad");
}
