//! Whatever is wrong with a field is named, and leaves nothing behind.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::hive::Hive;

#[tokio::test]
async fn a_bad_field_is_pointed_to_and_no_row_is_left() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let agent = hive.agent("backend", "Ada").await;
    let (url, _) = hive.repository();
    let nobody = Uuid::now_v7();
    let many = |n: usize, item: Value| Value::Array(vec![item; n]);
    let labels: serde_json::Map<_, _> = (0..33).map(|n| (n.to_string(), json!(""))).collect();
    let with = |field: &str, value: Value| (format!("/{field}"), json!({ "title": "T", field: value }));
    let at = |pointer: &str, field: &str, value: Value| {
        (pointer.to_owned(), json!({ "title": "T", field: value }))
    };
    let table = [
        ("/title".to_owned(), json!({})),
        ("/title".to_owned(), json!({ "title": null })),
        ("/title".to_owned(), json!({ "title": "" })),
        ("/title".to_owned(), json!({ "title": " \n" })),
        ("/title".to_owned(), json!({ "title": "ü".repeat(256) })),
        ("/title".to_owned(), json!({ "title": "a\0b" })),
        (String::new(), json!([])),
        (String::new(), json!("text")),
        with("titel", json!("a typing error")),
        with("deadline", json!("tomorrow")),
        (
            "/deadline".to_owned(),
            json!({ "title": "T", "run_at": "2031-01-02T00:00:00Z", "deadline": "2031-01-01T00:00:00Z" }),
        ),
        with("session_id", json!(nobody)),
        with("parent_id", json!(nobody)),
        with("concurrency_key", json!("")),
        with("concurrency_key", json!("k".repeat(256))),
        with("description", json!(5)),
        with("description", json!("x".repeat(100_001))),
        with("agent_id", json!("nobody")),
        with("agent_id", json!(nobody)),
        with("agent_type", json!("unheard of")),
        with("agent_type", json!("")),
        with("project_id", json!("x")),
        with("priority", json!(0)),
        with("priority", json!(10)),
        with("priority", json!("high")),
        with("priority", json!(1.5)),
        at("/dependencies/0", "dependencies", json!(["x"])),
        with("dependencies", json!([nobody])),
        with("dependencies", many(101, json!(nobody))),
        with("on_dependency_failure", json!("explode")),
        at("/repository/url", "repository", json!({})),
        at("/repository/path", "repository", json!({ "url": url, "path": "x" })),
        at("/repository/url", "repository", json!({ "url": "" })),
        at("/repository/url", "repository", json!({ "url": "file:///etc" })),
        at("/repository/url", "repository", json!({ "url": "ext::sh -c true" })),
        at("/repository/url", "repository", json!({ "url": "https://user:secret@example.invalid/a.git" })),
        at("/repository/url", "repository", json!({ "url": format!("{url}.gone") })),
        at("/repository/url", "repository", json!({ "url": "http://127.0.0.1:1/a.git" })),
        at("/repository/base_ref", "repository", json!({ "url": url, "base_ref": "no-such-branch" })),
        at("/repository/base_ref", "repository", json!({ "url": url, "base_ref": "--upload-pack=x" })),
        at("/acceptance", "acceptance", json!([{ "command": "true" }])),
        at("/acceptance/0/command", "acceptance", json!([{ "name": "x" }])),
        with("context", json!([])),
        with("context", json!({ "x": "y".repeat(64_000) })),
        at("/context/a/1", "context", json!({ "a": [1, "\0"] })),
        with("labels", Value::Object(labels)),
        at("/labels/a", "labels", json!({ "a": 1 })),
        at("/labels/a:b", "labels", json!({ "a:b": "" })),
        at("/labels/a~1b", "labels", json!({ "a/b": "x".repeat(256) })),
        with("run_at", json!("tomorrow")),
        with("run_at", json!("2026-01-01")),
        with("run_at", json!("+12000-01-01T00:00:00Z")),
        with("max_attempts", json!(0)),
        with("max_attempts", json!(101)),
        with("max_attempts", json!(1e30)),
        at("/limits/max_turns", "limits", json!({ "max_turns": -1 })),
        at("/limits/max_turns", "limits", json!({ "max_turns": 0 })),
        at("/limits/max_cost_usd", "limits", json!({ "max_cost_usd": -0.5 })),
        at("/limits/max_tokens", "limits", json!({ "max_tokens": 0 })),
        at("/limits/max_seconds", "limits", json!({ "max_seconds": u64::MAX })),
        at("/limits/max_hours", "limits", json!({ "max_hours": 1 })),
        with("model", json!("")),
        with("duty", json!("sleep")),
        with("ref", json!("alone")),
    ];
    for (pointer, body) in table {
        let answer = api.post("/api/v1/tasks", body.clone()).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.places(), [pointer], "{body}: {answer:?}");
        assert!(!answer.text.contains("secret"), "{answer:?}");
    }
    let checks = json!([
        { "command": " ", "timeout_seconds": 0 }, { "command": "true", "name": "" }, { "command": "x".repeat(10_001) },
    ]);
    for (body, pointers) in [
        (
            json!({ "title": "", "priority": 5, "max_attempts": 0, "agent_id": agent, "agent_type": "qa" }),
            vec!["/title", "/max_attempts", "/agent_type"],
        ),
        (
            json!({ "title": "T", "duty": "noop", "agent_id": agent, "agent_type": "qa", "repository": { "url": url },
                    "acceptance": [{ "command": "true" }] }),
            vec!["/agent_id", "/agent_type", "/repository", "/acceptance"],
        ),
        (
            json!({ "title": "T", "repository": { "url": url }, "acceptance": checks }),
            vec![
                "/acceptance/0/command",
                "/acceptance/0/timeout_seconds",
                "/acceptance/1/name",
                "/acceptance/2/command",
            ],
        ),
    ] {
        let answer = api.post("/api/v1/tasks", body).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.places(), pointers);
    }
    assert!(hive.tasks().await.is_empty());
    assert_eq!(hive.queue.depth().await.unwrap(), [0; 5]);
}

#[tokio::test]
async fn an_array_is_no_object_anywhere() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let task = |field: &str, value: Value| json!({ "title": "T", field: value });
    let plan =
        |field: &str, value: Value| json!({ "name": "n", "cron": "@daily", "duty": "records", field: value });
    for (path, body, pointer) in [
        ("tasks", task("repository", json!(["file:///srv/git", null])), "/repository"),
        ("tasks", task("limits", json!([5, 1.0, null, 9])), "/limits"),
        ("tasks", task("acceptance", json!([["n", "true", 5]])), "/acceptance/0"),
        ("tasks/bulk", json!({ "tasks": [["r", "T"]] }), "/tasks/0"),
        ("tasks/actions", json!({ "action": "cancel", "filter": [] }), "/filter"),
        ("schedules", plan("options", json!([true, null])), "/options"),
        ("schedules", json!({ "name": "n", "cron": "@daily", "task": [null, "T"] }), "/task"),
        ("agents", json!({ "name": "B", "type": "backend", "limits": [1, 1, 1, 1] }), "/limits"),
    ] {
        let answer = api.post(&format!("/api/v1/{path}"), body).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.places(), [pointer], "{answer:?}");
        assert!(answer.body["errors"][0]["detail"].as_str().unwrap().contains("object"), "{answer:?}");
    }
    let rate = json!({ "kind": "key", "name": "k", "rate": [1, 2] });
    assert_eq!(api.put("/api/v1/limits", rate).await.places(), ["/rate"]);
    assert_eq!(api.get("/api/v1/tasks").await.body["items"], json!([]), "nothing is left behind");
}
