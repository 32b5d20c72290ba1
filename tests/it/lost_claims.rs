//! The answer to a claim gets lost: the worker finds what it holds without knowing, and hands it back. No scheduler is
//! there, so that nobody else can.

use std::time::Duration;

use hive_tests::{Gate, TestHive, within};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

const CLAIMED: &str = "EXISTS (SELECT 1 FROM tasks WHERE status = 'running')";

/// The first claim commits and its connection is cut before the answer.
async fn lose_the_claim(hive: &mut TestHive, id: Uuid) {
    let gate = Gate::before_postgres(hive).await;
    hive.set_worker_env("DATABASE_URL", &gate.url(hive));
    gate.cut_when(CLAIMED);
    hive.launch_worker();
    within(Duration::from_secs(30), "an answer is lost", async || (gate.cuts() > 0).then_some(())).await;
    gate.open();
    hive.wait_succeeded(id, 30).await;
    let (epoch, attempt, deaths): (i64, i32, i32) =
        sqlx::query_as("SELECT epoch, attempt::int, deaths::int FROM tasks WHERE id = $1")
            .bind(id)
            .fetch_one(&hive.pool)
            .await
            .unwrap();
    assert!(epoch > 1, "the claim was lost");
    assert_eq!((attempt, deaths), (1, 0), "it cost neither a try nor a death");
    let kinds = hive.event_kinds(id).await;
    let began = kinds.iter().position(|kind| kind == "task.started").unwrap();
    assert_eq!(kinds[began + 1], "task.ready", "{kinds:?}");
    hive.assert_whole(id).await;
}

#[tokio::test]
async fn a_claim_by_ticket_that_got_no_answer_is_handed_back() {
    let mut hive = TestHive::builder().workers(0).schedulers(0).start().await;
    let id = hive.post_task(json!({ "title": "Nothing", "duty": "noop" })).await;
    lose_the_claim(&mut hive, id).await;
}

#[tokio::test]
async fn a_claim_under_a_rate_that_got_no_answer_is_handed_back() {
    let mut hive = TestHive::builder().workers(0).schedulers(0).start().await;
    let rate = json!({ "kind": "key", "name": "slow", "rate": { "max_starts": 5, "per_seconds": 3600 } });
    let answer = hive.send(0, Method::PUT, "/api/v1/limits", Some(&rate)).await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let body = json!({ "title": "Nothing", "duty": "noop", "concurrency_key": "slow" });
    let id = hive.post_task(body).await;
    lose_the_claim(&mut hive, id).await;
}

#[tokio::test]
async fn a_claim_without_a_ticket_that_got_no_answer_is_handed_back() {
    let mut hive = TestHive::builder().workers(0).schedulers(0).own_redis().start().await;
    let id = hive.post_task(json!({ "title": "Nothing", "duty": "noop" })).await;
    hive.flush_redis();
    lose_the_claim(&mut hive, id).await;
}
