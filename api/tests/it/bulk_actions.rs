//! One thing done to many tasks.

use hive_domain::TaskStatus;
use serde_json::{Value, json};

use crate::hive::{Api, Hive};

const ACTIONS: &str = "/api/v1/tasks/actions";

async fn shop(api: &Api, count: usize) {
    let task = json!({ "title": "T", "duty": "noop", "labels": { "team": "shop" } });
    let answer = api.post("/api/v1/tasks/bulk", json!({ "tasks": vec![task; count] })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

async fn work(hive: &Hive) {
    while hive.store.work_on_bulk_actions().await.unwrap().is_some() {}
}

async fn statuses(hive: &Hive) -> Vec<TaskStatus> {
    hive.tasks().await.into_iter().map(|task| task.status).collect()
}

#[tokio::test]
async fn an_action_is_accepted_carried_out_and_shown() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    shop(&api, 20).await;
    let other = api.task(json!({ "title": "Other", "duty": "noop" })).await;
    let filter = json!({ "labels": { "team": "shop" }, "status": "ready" });
    let answer = api.post(ACTIONS, json!({ "action": "cancel", "filter": filter })).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.body["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("{ACTIONS}/{id}"));
    let mut expected = json!({
        "id": id, "action": "cancel", "filter": { "status": ["ready"], "labels": { "team": "shop" } }, "priority": null,
        "dry_run": false, "status": "working", "matched": 20, "done": 0, "skipped": 0, "cascaded": 0,
        "failures": 0, "error": null,
        "created_by": "operator", "created_at": answer.body["created_at"], "finished_at": null,
    });
    assert_eq!(answer.body, expected);
    assert_eq!(api.get(answer.header("location")).await.body, expected);
    work(&hive).await;
    let shown = api.get(answer.header("location")).await.body;
    expected["status"] = json!("done");
    expected["done"] = json!(20);
    expected["finished_at"] = shown["finished_at"].clone();
    assert!(shown["finished_at"].is_string());
    assert_eq!(shown, expected);
    for task in hive.tasks().await {
        let spared = task.id == other;
        assert_eq!(task.status, if spared { TaskStatus::Ready } else { TaskStatus::Cancelled });
    }

    let filter = json!({ "labels": { "team": "shop" }, "status": ["cancelled"] });
    let answer = api.post(ACTIONS, json!({ "action": "redrive", "filter": filter })).await;
    work(&hive).await;
    let shown = api.get(answer.header("location")).await.body;
    assert_eq!((&shown["matched"], &shown["done"]), (&json!(20), &json!(20)));
    assert_eq!(hive.tasks().await.iter().filter(|task| task.redriven_from.is_some()).count(), 20);
    let again = api.post(ACTIONS, json!({ "action": "redrive", "filter": filter })).await;
    assert_eq!(again.body["matched"], 0, "they were tried again already");

    let body = json!({ "action": "reprioritise", "priority": 1, "all": true });
    let answer = api.post(ACTIONS, body).await;
    assert_eq!(
        (&answer.body["matched"], &answer.body["priority"]),
        (&json!(21), &json!(1)),
        "all that are open"
    );
    work(&hive).await;
    assert_eq!(hive.tasks().await.iter().filter(|task| task.priority.get() == 1).count(), 21);
}

#[tokio::test]
async fn a_dry_run_only_counts() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    shop(&api, 3).await;
    let before = statuses(&hive).await;
    let filter = json!({ "labels": { "team": "shop" } });
    let answer = api.post(ACTIONS, json!({ "action": "cancel", "filter": filter, "dry_run": true })).await;
    assert_eq!((answer.status.as_u16(), &answer.body["matched"]), (200, &json!(3)), "{answer:?}");
    assert_eq!((&answer.body["dry_run"], &answer.body["id"]), (&json!(true), &Value::Null));
    assert!(hive.store.work_on_bulk_actions().await.unwrap().is_none());
    assert_eq!(statuses(&hive).await, before);
}

#[tokio::test]
async fn what_is_not_meant_is_refused() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    shop(&api, 3).await;
    let filter = json!({ "labels": { "team": "shop" } });
    for (body, places) in [
        (json!({}), vec!["/action"]),
        (json!({ "action": "cancel" }), vec!["/filter"]),
        (json!({ "action": "cancel", "filter": {} }), vec!["/filter"]),
        (json!({ "action": "cancel", "filter": { "labels": {} }, "all": false }), vec!["/filter"]),
        (json!({ "action": "delete", "filter": filter }), vec!["/action"]),
        (json!({ "action": "cancel", "filter": filter, "priority": 1 }), vec!["/priority"]),
        (json!({ "action": "reprioritise" }), vec!["/priority", "/filter"]),
        (json!({ "action": "reprioritise", "filter": filter, "priority": 0 }), vec!["/priority"]),
        (json!({ "action": "cancel", "filter": { "team": "shop" } }), vec!["/filter/team"]),
        (json!({ "action": "cancel", "filter": { "status": ["lost"] } }), vec!["/filter/status/0"]),
        (json!({ "action": "cancel", "filter": { "status": "lost" } }), vec!["/filter/status"]),
        (json!({ "action": "cancel", "filter": { "session_id": "x" } }), vec!["/filter/session_id"]),
        (
            json!({ "action": "cancel", "filter": { "created_before": "+12000-01-01T00:00:00Z" } }),
            vec!["/filter/created_before"],
        ),
    ] {
        let answer = api.post(ACTIONS, body.clone()).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.places(), places, "{body}");
    }
    assert!(hive.store.work_on_bulk_actions().await.unwrap().is_none(), "nothing was accepted");
    assert_eq!(statuses(&hive).await, [TaskStatus::Ready; 3]);
    api.get(&format!("{ACTIONS}/{}", uuid::Uuid::now_v7())).await.problem(404, "action_not_found");
}
