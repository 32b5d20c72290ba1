//! Many tasks in one body, all or none.

use hive_domain::TaskStatus;
use hive_queue::Config;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::hive::Hive;

const BULK: &str = "/api/v1/tasks/bulk";

#[tokio::test]
async fn a_thousand_tasks_that_name_each_other_are_accepted() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    // The first waits for the last: a body has no order.
    let task = |n: usize| {
        let dependencies = if n < 10 { vec![format!("t{}", n + 990)] } else { Vec::new() };
        json!({ "ref": format!("t{n}"), "title": format!("Task {n}"), "duty": "noop", "dependencies": dependencies })
    };
    let tasks: Vec<Value> = (0..1_000).map(task).collect();
    let answer = api.post(BULK, json!({ "tasks": tasks })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let items = answer.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 1_000);
    for (n, item) in items.iter().enumerate() {
        assert_eq!(item["ref"], format!("t{n}"));
        assert_eq!(item["status"], if n < 10 { "pending" } else { "ready" });
    }
    for n in [0, 9, 10, 999] {
        let stored = hive.store.task(items[n]["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
        assert_eq!(stored.title, format!("Task {n}"));
        let awaited: Vec<String> = stored.dependencies.iter().map(ToString::to_string).collect();
        let expected: Vec<&str> = if n < 10 { vec![items[n + 990]["id"].as_str().unwrap()] } else { vec![] };
        assert_eq!(awaited, expected);
    }
    let full = Config::new("redis://x").feed_cap as u64;
    assert_eq!(
        hive.queue.depth().await.unwrap().iter().sum::<u64>(),
        full,
        "as many tickets as the lane takes"
    );
}

#[tokio::test]
async fn bases_are_looked_up_for_all() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let (url, commit) = hive.repository();
    let with = |url: &str| json!({ "title": "T", "repository": { "url": url } });
    let answer = api.post(BULK, json!({ "tasks": [with(&url), { "title": "T" }, with(&url)] })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    for (n, expected) in [(0, Some(&commit)), (1, None), (2, Some(&commit))] {
        let id = answer.body["items"][n]["id"].as_str().unwrap().parse().unwrap();
        let repository = hive.store.task(id).await.unwrap().repository;
        assert_eq!(repository.map(|repository| repository.base_commit).as_ref(), expected);
    }
    let gone = api.post(BULK, json!({ "tasks": [with(&url), with(&format!("{url}.gone"))] })).await;
    gone.problem(422, "validation_failed");
    assert_eq!(gone.places(), ["/tasks/1/repository/url"]);
}

#[tokio::test]
async fn a_circle_is_named_by_its_refs_where_it_begins() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let task = |name: &str, awaits: &[&str]| json!({ "ref": name, "title": name, "duty": "noop", "dependencies": awaits });
    for (tasks, pointer, cycle) in [
        (
            vec![task("x", &[]), task("a", &["b", "x"]), task("b", &["c"]), task("c", &["a"])],
            1,
            vec!["a", "b", "c"],
        ),
        (vec![task("x", &[]), task("self", &["self"])], 1, vec!["self"]),
    ] {
        let answer = api.post(BULK, json!({ "tasks": tasks })).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.places(), [format!("/tasks/{pointer}/dependencies")]);
        assert_eq!(answer.body["cycle"], json!(cycle));
        let circle = format!("{} → {}", cycle.join(" → "), cycle[0]);
        assert!(answer.body["detail"].as_str().unwrap().contains(&circle), "{answer:?}");
    }
    assert!(hive.tasks().await.is_empty());
}

#[tokio::test]
async fn one_bad_task_refuses_all_and_is_pointed_to() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let fine = json!({ "title": "T", "duty": "noop" });
    let nobody = uuid::Uuid::now_v7();
    let with = |field: &str, value: Value| json!({ "title": "T", "duty": "noop", field: value });
    for (tasks, places) in [
        (json!([]), vec!["/tasks"]),
        (Value::Array(vec![fine.clone(); 1_001]), vec!["/tasks"]),
        (json!([fine, { "duty": "noop" }]), vec!["/tasks/1/title"]),
        (json!([fine, with("titel", json!(1))]), vec!["/tasks/1/titel"]),
        (
            json!([with("title", json!("")), fine, with("max_attempts", json!(0))]),
            vec!["/tasks/0/title", "/tasks/2/max_attempts"],
        ),
        (json!([fine, with("limits", json!({ "max_turns": 0 }))]), vec!["/tasks/1/limits/max_turns"]),
        (json!([fine, with("labels", json!({ "a/b": "x".repeat(256) }))]), vec!["/tasks/1/labels/a~1b"]),
        (json!([with("ref", json!("a")), with("ref", json!("a"))]), vec!["/tasks/1/ref"]),
        (json!([with("ref", json!("")), fine]), vec!["/tasks/0/ref"]),
        (json!([with("ref", json!(nobody))]), vec!["/tasks/0/ref"]),
        (
            json!([with("ref", json!("a")), with("dependencies", json!(["b"]))]),
            vec!["/tasks/1/dependencies/0"],
        ),
        (json!([fine, with("dependencies", json!([nobody]))]), vec!["/tasks/1/dependencies"]),
        (json!([fine, { "title": "T", "agent_type": "nobody" }]), vec!["/tasks/1/agent_type"]),
        (
            json!([with("parent_id", json!(nobody)), with("session_id", json!(nobody))]),
            vec!["/tasks/0/parent_id", "/tasks/1/session_id"],
        ),
    ] {
        let answer = api.post(BULK, json!({ "tasks": tasks })).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.places(), places, "{answer:?}");
    }
    let many = api.post(BULK, json!({ "tasks": vec![json!({ "title": "", "duty": "noop" }); 1_000] })).await;
    assert_eq!(many.places().len(), 100, "the rest is named when these are mended");
    assert!(hive.tasks().await.is_empty());
    assert_eq!(hive.queue.depth().await.unwrap(), [0; 5]);
}

#[tokio::test]
async fn this_body_may_be_larger_and_not_endless() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let task = json!({ "title": "T", "duty": "noop", "description": "x".repeat(90_000) });
    let answer = api.post(BULK, json!({ "tasks": vec![task.clone(); 80] })).await;
    assert_eq!(answer.status, 201, "7 MB are taken: {answer:?}");
    let stored = hive.tasks().await;
    assert_eq!((stored.len(), stored[0].status), (80, TaskStatus::Ready));
    let answer = api.post(BULK, json!({ "tasks": vec![task.clone(); 100] })).await;
    answer.problem(413, "body_too_large");
    let answer =
        api.post("/api/v1/tasks", json!({ "title": "T", "context": { "x": "y".repeat(2_000_000) } })).await;
    answer.problem(413, "body_too_large");
    assert_eq!(hive.tasks().await.len(), 80);
}
