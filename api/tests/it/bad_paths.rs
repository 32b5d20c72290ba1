//! Paths, methods, ids and query parameters that nobody knows.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::hive::{Answer, Hive};

#[tokio::test]
async fn paths_methods_and_ids_are_checked() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let missing = Uuid::now_v7();
    for path in ["/", "/api", "/api/v2/tasks", "/api/v1/tasks/", "/api/v1/tasks/x/y/z", "/health"] {
        api.get(path).await.problem(404, "no_such_route");
    }
    for (method, path) in [(Method::DELETE, "/api/v1/tasks"), (Method::POST, "/api/v1/system/health")] {
        let answer = Answer::of(api.request(method, path)).await;
        answer.problem(405, "method_not_allowed");
        assert!(answer.header("allow").contains("GET"), "{answer:?}");
    }
    Answer::of(api.request(Method::POST, "/health/live")).await.problem(405, "method_not_allowed");
    for tail in ["", "/steps", "/diff", "/artifacts", "/artifacts/diff", "/events"] {
        for bad in ["x", "1", "%00", "%ff", "00000000-0000-0000-0000-00000000000g"] {
            api.get(&format!("/api/v1/tasks/{bad}{tail}")).await.problem(400, "invalid_id");
        }
        api.get(&format!("/api/v1/tasks/{missing}{tail}")).await.problem(404, "task_not_found");
    }
    for tail in ["cancel", "complete"] {
        let path = format!("/api/v1/tasks/{missing}/{tail}");
        Answer::of(api.request(Method::POST, &path)).await.problem(404, "task_not_found");
    }
    let assign = format!("/api/v1/tasks/{missing}/assign");
    let answer = api.put(&assign, json!({ "agent_id": missing })).await;
    answer.problem(404, "task_not_found");
}

#[tokio::test]
async fn query_parameters_are_checked() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let id = api.task(json!({ "title": "T", "duty": "noop" })).await;
    for (path, name) in [
        ("/api/v1/tasks?status=gone".to_owned(), "status"),
        ("/api/v1/tasks?status=ready,gone".to_owned(), "status"),
        ("/api/v1/tasks?reason=because".to_owned(), "reason"),
        ("/api/v1/tasks?agent_id=x".to_owned(), "agent_id"),
        ("/api/v1/tasks?label=plain".to_owned(), "label"),
        ("/api/v1/tasks?label=a:1&label=a:2".to_owned(), "label"),
        ("/api/v1/tasks?label=a:%00".to_owned(), "label"),
        ("/api/v1/tasks?created_since=yesterday".to_owned(), "created_since"),
        ("/api/v1/tasks?limit=0".to_owned(), "limit"),
        ("/api/v1/tasks?limit=201".to_owned(), "limit"),
        ("/api/v1/tasks?limit=99999999999999999999".to_owned(), "limit"),
        ("/api/v1/tasks?limit=1&limit=2".to_owned(), "limit"),
        ("/api/v1/tasks?cursor=x".to_owned(), "cursor"),
        ("/api/v1/tasks?stauts=ready".to_owned(), "stauts"),
        ("/api/v1/agents?type=%00".to_owned(), "type"),
        ("/api/v1/agents?cursor=1".to_owned(), "cursor"),
        (format!("/api/v1/tasks/{id}/steps?cursor=x"), "cursor"),
        (format!("/api/v1/tasks/{id}/events?after=x"), "after"),
        (format!("/api/v1/tasks/{id}/events?since=1"), "since"),
    ] {
        let answer = api.get(&path).await;
        answer.problem(400, "invalid_query");
        assert_eq!(answer.places(), [name], "{path}");
    }
    let request =
        api.request(Method::GET, &format!("/api/v1/tasks/{id}/events")).header("last-event-id", "x");
    Answer::of(request).await.problem(400, "invalid_last_event_id");
}
