//! Trying again, and what died.

use hive_store::Claimant;
use std::time::Duration;

use hive_domain::{ErrorClass, Outcome, TaskId, TaskStatus};
use reqwest::Method;
use serde_json::{Value, json};

use crate::hive::{Answer, Hive};

async fn die(hive: &Hive, id: TaskId) {
    let lease = hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    let retry = Outcome::Retry {
        after: Duration::ZERO,
        class: ErrorClass::Host,
        detail: "the disk is full".to_owned(),
    };
    hive.store.settle(&lease, &retry).await.unwrap();
    assert_eq!(hive.store.task(id).await.unwrap().status, TaskStatus::Dead);
}

#[tokio::test]
async fn a_retry_is_a_new_task_that_names_the_old_one() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let id = api.task(json!({ "title": "T", "duty": "noop", "labels": { "a": "b" }, "priority": 2 })).await;
    let path = format!("/api/v1/tasks/{id}/retry");
    Answer::of(api.request(Method::POST, &path)).await.problem(409, "task_not_retryable");
    hive.store.cancel(id, "test").await.unwrap();
    let depth = hive.queue.depth().await.unwrap()[0];
    let answer = Answer::of(api.request(Method::POST, &path)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let new: TaskId = answer.body["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/tasks/{new}"));
    assert_eq!(answer.body["redriven_from"], json!(id));
    let stored = hive.store.task(new).await.unwrap();
    assert_eq!((stored.status, stored.redriven_from), (TaskStatus::Ready, Some(id)));
    assert_eq!((stored.labels["a"].as_str(), stored.priority.get()), ("b", 2));
    assert_eq!(hive.store.task(id).await.unwrap().status, TaskStatus::Cancelled);
    assert_eq!(hive.queue.depth().await.unwrap()[0], depth + 1, "with a ticket of its own");
    let again = Answer::of(api.request(Method::POST, &path)).await;
    again.problem(409, "task_already_redriven");
    assert_eq!(again.body["redriven_to"], json!(new), "{again:?}");
    assert_eq!(hive.tasks().await.len(), 2);
    let nobody = format!("/api/v1/tasks/{}/retry", uuid::Uuid::now_v7());
    Answer::of(api.request(Method::POST, &nobody)).await.problem(404, "task_not_found");
}

#[tokio::test]
async fn the_dead_are_shown_with_their_last_error_and_whole_input() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let agent = hive.agent("backend", "Ada").await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let body = json!({ "title": format!("T{n}"), "description": "At length.", "max_attempts": 1,
                           "context": { "n": n }, "labels": { "n": n.to_string() } });
        ids.push(api.task(body).await);
        die(&hive, ids[n]).await;
    }
    let alive = api.task(json!({ "title": "T", "duty": "noop" })).await;
    hive.store.cancel(alive, "test").await.unwrap();
    Answer::of(api.request(Method::POST, &format!("/api/v1/tasks/{}/retry", ids[1]))).await;

    let shown = api.get("/api/v1/dead-letters?limit=2").await.body;
    let letter = &shown["items"][0];
    assert_eq!(letter["id"], json!(ids[2]));
    assert_eq!((&letter["last_error"], &letter["attempts"]), (&json!("the disk is full"), &json!(1)));
    assert_eq!((&letter["reason"], &letter["redriven_to"]), (&json!("attempts_exhausted"), &Value::Null));
    assert_eq!(letter["task"], api.get(&format!("/api/v1/tasks/{}", ids[2])).await.body);
    assert_eq!(letter["task"]["context"], json!({ "n": 2 }));
    assert!(letter["died_at"].is_string() && shown["items"][1]["redriven_to"].is_string());
    let cursor = shown["next_cursor"].as_str().unwrap();
    let rest = api.get(&format!("/api/v1/dead-letters?limit=2&cursor={cursor}")).await.body;
    assert_eq!((&rest["items"][0]["id"], &rest["next_cursor"]), (&json!(ids[0]), &Value::Null));

    let died = letter["died_at"].as_str().unwrap();
    for (query, wanted) in [
        (String::new(), vec![2, 1, 0]),
        ("reason=attempts_exhausted".to_owned(), vec![2, 1, 0]),
        ("reason=poison".to_owned(), vec![]),
        ("error_class=network".to_owned(), vec![]),
        (format!("agent_id={agent}&label=n:1"), vec![1]),
        ("redriven=false".to_owned(), vec![2, 0]),
        (format!("ended_since={died}"), vec![2]),
        (format!("ended_before={died}"), vec![1, 0]),
    ] {
        let found = api.get(&format!("/api/v1/dead-letters?{query}")).await;
        assert_eq!(found.status, 200, "{found:?}");
        let found: Vec<&Value> =
            found.body["items"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
        let wanted: Vec<Value> = wanted.into_iter().map(|n: usize| json!(ids[n])).collect();
        assert_eq!(found, wanted.iter().collect::<Vec<_>>(), "{query}");
    }
    for query in ["status=dead", "redriven=perhaps", "color=red", "reason=bad+luck"] {
        api.get(&format!("/api/v1/dead-letters?{query}")).await.problem(400, "invalid_query");
    }
}
