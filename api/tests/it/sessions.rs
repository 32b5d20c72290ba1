//! Sessions, and the priority of one task.

use hive_domain::TaskStatus;
use reqwest::Method;
use serde_json::{Value, json};

use crate::hive::{Answer, Hive};

#[tokio::test]
async fn a_session_is_made_listed_and_counts_its_tasks() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let made = api.post("/api/v1/sessions", json!({ "name": "Spring" })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(made.header("location"), format!("/api/v1/sessions/{id}"));
    let inside = api.task(json!({ "title": "In", "duty": "noop", "session_id": id })).await;
    let ended = api.task(json!({ "title": "In", "duty": "noop", "session_id": id })).await;
    api.task(json!({ "title": "Out", "duty": "noop" })).await;
    hive.store.cancel(ended, "test").await.unwrap();
    let shown = api.get(made.header("location")).await.body;
    let expected = json!({
        "id": id, "project_id": "00000000-0000-7000-8000-000000000001", "name": "Spring", "created_by": "operator",
        "created_at": made.body["created_at"], "tasks": { "cancelled": 1, "ready": 1 },
    });
    assert_eq!(shown, expected);
    let open = api.get(&format!("/api/v1/tasks?session_id={id}&status=ready")).await.body;
    assert_eq!(
        open["items"].as_array().unwrap().iter().map(|task| &task["id"]).collect::<Vec<_>>(),
        [&json!(inside)]
    );

    let newer = api.post("/api/v1/sessions", json!({ "name": "Spring" })).await.body;
    let page = api.get("/api/v1/sessions?limit=1").await.body;
    assert_eq!((&page["items"], &page["next_cursor"]), (&json!([newer]), &newer["id"]));
    let rest =
        api.get(&format!("/api/v1/sessions?limit=1&cursor={}", newer["id"].as_str().unwrap())).await.body;
    assert_eq!((&rest["items"], &rest["next_cursor"]), (&json!([shown]), &Value::Null));

    for (body, place) in [
        (json!({}), "/name"),
        (json!({ "name": " " }), "/name"),
        (json!({ "name": "x".repeat(256) }), "/name"),
        (json!({ "name": "x", "project_id": uuid::Uuid::now_v7() }), "/project_id"),
        (json!({ "name": "x", "colour": "red" }), "/colour"),
    ] {
        let answer = api.post("/api/v1/sessions", body).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.places(), [place]);
    }
    api.get(&format!("/api/v1/sessions/{}", uuid::Uuid::now_v7())).await.problem(404, "session_not_found");
    api.get("/api/v1/sessions/x").await.problem(400, "invalid_id");
}

#[tokio::test]
async fn a_new_priority_brings_a_ready_task_into_its_lane() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let id = api.task(json!({ "title": "T", "duty": "noop", "priority": 9 })).await;
    assert_eq!(hive.queue.depth().await.unwrap(), [0, 0, 0, 1, 0]);
    let path = format!("/api/v1/tasks/{id}");
    let answer = api.patch(&path, json!({ "priority": 1 })).await;
    assert_eq!((answer.status.as_u16(), &answer.body["priority"]), (200, &json!(1)), "{answer:?}");
    assert_eq!(hive.queue.depth().await.unwrap()[0], 1, "a ticket in the urgent lane");
    let stored = hive.store.task(id).await.unwrap();
    assert_eq!((stored.priority.get(), stored.status, stored.epoch), (1, TaskStatus::Ready, 0));
    let event = hive.store.events_after(id, 1, 10).await.unwrap().remove(0);
    assert_eq!(
        (event.kind.as_str(), event.data),
        ("task.reprioritised", json!({ "actor": "operator", "priority": 1 }))
    );
    api.patch(&path, json!({ "priority": 1 })).await;
    assert_eq!(hive.store.task(id).await.unwrap().event_seq, 2, "the same again changes nothing");

    for (body, place) in [
        (json!({}), "/priority"),
        (json!({ "priority": 10 }), "/priority"),
        (json!({ "title": "x" }), "/title"),
    ] {
        let answer = api.patch(&path, body).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.places(), [place]);
    }
    Answer::of(api.request(Method::POST, &format!("{path}/cancel"))).await;
    api.patch(&path, json!({ "priority": 3 })).await.problem(409, "task_ended");
}
