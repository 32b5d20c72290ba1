//! What a person does to a task that exists.

use hive_store::Claimant;
use std::time::Duration;

use hive_domain::{Outcome, StatusReason, TaskStatus, journal::TaskResult};
use reqwest::Method;
use serde_json::{Value, json};

use crate::hive::{Answer, Hive, eventually};

#[tokio::test]
async fn assigning_changes_the_agent_until_the_task_begins() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let bob = hive.agent("qa", "Bob").await;
    let id = api.task(json!({ "title": "T" })).await;
    let path = format!("/api/v1/tasks/{id}/assign");
    let answer = api.put(&path, json!({ "agent_id": bob })).await;
    assert_eq!((answer.status.as_u16(), &answer.body["agent"]["name"]), (200, &json!("Bob")));
    assert_eq!(hive.store.task(id).await.unwrap().agent.unwrap().id, bob);
    let events = hive.store.events_after(id, 1, 10).await.unwrap();
    assert_eq!(events[0].kind, "task.assigned");

    let nobody = api.put(&path, json!({ "agent_id": uuid::Uuid::now_v7() })).await;
    nobody.problem(422, "validation_failed");
    assert_eq!(nobody.places(), ["/agent_id"]);
    hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    api.put(&path, json!({ "agent_id": bob })).await.problem(409, "task_not_assignable");
}

#[tokio::test]
async fn cancelling_ends_a_task_once() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let id = api.task(json!({ "title": "T", "duty": "noop" })).await;
    let lease = hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    for _ in 0..2 {
        let answer = Answer::of(api.request(Method::POST, &format!("/api/v1/tasks/{id}/cancel"))).await;
        assert_eq!((answer.status.as_u16(), &answer.body["status"]), (200, &json!("cancelled")));
    }
    assert_eq!(hive.store.task(id).await.unwrap().status, TaskStatus::Cancelled);
    assert_eq!(hive.store.events_after(id, 2, 10).await.unwrap().len(), 1);
    let late = hive.store.settle(&lease, &Outcome::Done(TaskResult::default())).await;
    assert!(late.is_err(), "the run in flight can write nothing more");

    let done = api.task(json!({ "title": "T", "duty": "noop" })).await;
    let lease = hive.store.claim(done, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    hive.store.settle(&lease, &Outcome::Done(TaskResult::default())).await.unwrap();
    let answer = Answer::of(api.request(Method::POST, &format!("/api/v1/tasks/{done}/cancel"))).await;
    answer.problem(409, "task_ended");
}

#[tokio::test]
async fn completing_goes_through_the_checks() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let (url, _) = hive.repository();
    let checks = json!([{ "command": "true" }]);
    let id = api.task(json!({ "title": "T", "repository": { "url": url }, "acceptance": checks })).await;
    let lease = hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    let path = format!("/api/v1/tasks/{id}/complete");
    Answer::of(api.request(Method::POST, &path)).await.problem(409, "task_not_completable");
    let fail = Outcome::Fail {
        reason: StatusReason::TurnLimit,
        detail: "no turns left".to_owned(),
        partial: Box::default(),
    };
    hive.store.settle(&lease, &fail).await.unwrap();

    let answer = Answer::of(api.request(Method::POST, &path)).await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (202, &json!("ready")));
    let stored = hive.store.task(id).await.unwrap();
    assert!(stored.verify_only && stored.status == TaskStatus::Ready);
    let tickets = eventually("the ticket of the new epoch", async || {
        let depth = hive.queue.depth().await.unwrap();
        (depth[2] == 2).then_some(depth)
    });
    assert_eq!(tickets.await, [0, 0, 2, 0, 0]);
}

#[tokio::test]
async fn changes_are_told_to_the_watchers_of_every_process() {
    use hive_queue::Notice;
    let hive = Hive::start().await;
    let api = hive.api().await;
    let mut updates = hive.queue.subscribe(&["task_updates"]);
    assert_eq!(updates.recv().await, Notice::Gap);
    let id = api.task(json!({ "title": "T", "duty": "noop" })).await;
    Answer::of(api.request(Method::POST, &format!("/api/v1/tasks/{id}/cancel"))).await;
    for expected in [
        json!({ "task_id": id, "seq": 1, "status": "ready" }),
        json!({ "task_id": id, "seq": 2, "status": "cancelled" }),
    ] {
        let notice = tokio::time::timeout(Duration::from_secs(20), updates.recv()).await.unwrap();
        let Notice::Message { payload, .. } = notice else { panic!("{notice:?}") };
        assert_eq!(serde_json::from_str::<Value>(&payload).unwrap(), expected);
    }
}
