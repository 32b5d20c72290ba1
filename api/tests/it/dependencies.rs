//! Dependencies that are added later.

use hive_domain::{StatusReason, TaskStatus};
use hive_store::Claimant;
use serde_json::json;

use crate::hive::Hive;

#[tokio::test]
async fn a_task_waits_for_more_until_it_begins() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let noop = json!({ "title": "T", "duty": "noop" });
    let (first, second) = (api.task(noop.clone()).await, api.task(noop.clone()).await);
    let path = format!("/api/v1/tasks/{second}/dependencies");
    let answer = api.post(&path, json!({ "depends_on": [first] })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((&answer.body["status"], &answer.body["dependencies"]), (&json!("pending"), &json!([first])));
    let stored = hive.store.task(second).await.unwrap();
    assert_eq!((stored.status, stored.reason), (TaskStatus::Pending, Some(StatusReason::Dependencies)));
    hive.store.claim(first, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    let third = api.task(noop).await;
    let late =
        api.post(&format!("/api/v1/tasks/{first}/dependencies"), json!({ "depends_on": [third] })).await;
    late.problem(409, "task_started");
}

#[tokio::test]
async fn a_circle_is_refused_with_its_tasks_in_order() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let dependencies: Vec<_> = ids.last().into_iter().copied().collect();
        ids.push(api.task(json!({ "title": "T", "duty": "noop", "dependencies": dependencies })).await);
    }
    let before = hive.store.task(ids[0]).await.unwrap();
    let path = format!("/api/v1/tasks/{}/dependencies", ids[0]);
    let answer = api.post(&path, json!({ "depends_on": [ids[2]] })).await;
    answer.problem(409, "dependency_cycle");
    assert_eq!(answer.body["cycle"], json!([ids[0], ids[2], ids[1]]));
    api.post(&path, json!({ "depends_on": [ids[0]] })).await.problem(409, "dependency_cycle");
    let after = hive.store.task(ids[0]).await.unwrap();
    assert_eq!(
        (after.status, after.event_seq, after.dependencies),
        (before.status, before.event_seq, vec![])
    );
    for (body, place) in [
        (json!({}), "/depends_on"),
        (json!({ "depends_on": [] }), "/depends_on"),
        (json!({ "depends_on": ["x"] }), "/depends_on/0"),
        (json!({ "depends_on": [uuid::Uuid::now_v7()] }), "/depends_on"),
        (json!({ "depends_on": [ids[1]], "more": 1 }), "/more"),
    ] {
        let answer = api.post(&path, body).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.places(), [place]);
    }
    let nobody = format!("/api/v1/tasks/{}/dependencies", uuid::Uuid::now_v7());
    api.post(&nobody, json!({ "depends_on": [ids[0]] })).await.problem(404, "task_not_found");
}
