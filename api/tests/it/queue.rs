//! Pauses, limits and the answer to why.

use hive_domain::TaskStatus;
use hive_store::Claimant;
use reqwest::Method;
use serde_json::{Value, json};

use crate::hive::{Answer, Hive, eventually};

#[tokio::test]
async fn a_pause_holds_claims_back_and_is_shown_beside_the_task() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let agent = hive.agent("backend", "Ada").await;
    let id = api.task(json!({ "title": "T" })).await;
    for (scope, name) in
        [("fleet", String::new()), ("lane", "normal".to_owned()), ("agent", agent.to_string())]
    {
        let body =
            json!({ "scope": scope, "name": name, "reason": "an upgrade", "until": "2999-01-01T00:00:00Z" });
        let answer = api.post("/api/v1/queue/pause", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().map(drop),
            None,
            "{scope}"
        );
        let why = api.get(&format!("/api/v1/tasks/{id}/why")).await.body;
        assert_eq!((&why["status"], &why["cause"]), (&json!("ready"), &json!("paused")), "{why}");
        assert!(why["explanation"].as_str().unwrap().contains("an upgrade"), "{why}");
        assert_eq!(why["until"], "2999-01-01T00:00:00Z");
        let listed = api.get("/api/v1/queue/pauses").await.body;
        assert_eq!(listed["items"][0]["scope"], scope);
        let resume = json!({ "scope": scope, "name": name });
        assert_eq!(api.post("/api/v1/queue/resume", resume.clone()).await.status, 204);
        let again = api.post("/api/v1/queue/resume", resume).await;
        assert_eq!((again.status.as_u16(), &again.body["code"]), (404, &json!("not_paused")));
    }
    assert!(hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_bad_pause_or_limit_is_pointed_to_and_leaves_nothing() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let nobody = uuid::Uuid::now_v7();
    for (pointer, body) in [
        ("/scope", json!({})),
        ("/scope", json!({ "scope": "world" })),
        ("/name", json!({ "scope": "fleet", "name": "x" })),
        ("/name", json!({ "scope": "lane", "name": "fast" })),
        ("/name", json!({ "scope": "lane", "name": "isolated" })),
        ("/name", json!({ "scope": "agent", "name": "Ada" })),
        ("/name", json!({ "scope": "agent", "name": nobody })),
        ("/name", json!({ "scope": "session", "name": nobody })),
        ("/mode", json!({ "scope": "fleet", "mode": "stop" })),
        ("/until", json!({ "scope": "fleet", "until": "2020-01-01T00:00:00Z" })),
        ("/until", json!({ "scope": "fleet", "until": "soon" })),
        ("/reason", json!({ "scope": "fleet", "reason": "x".repeat(501) })),
        ("/forever", json!({ "scope": "fleet", "forever": true })),
    ] {
        let answer = api.post("/api/v1/queue/pause", body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{body}"
        );
    }
    assert_eq!(api.get("/api/v1/queue/pauses").await.body["items"], json!([]));
    for (pointer, body) in [
        ("/kind", json!({ "name": "x" })),
        ("/name", json!({ "kind": "key", "name": "" })),
        ("/name", json!({ "kind": "agent", "name": "Ada" })),
        ("/name", json!({ "kind": "agent", "name": nobody })),
        ("/max_running", json!({ "kind": "key", "name": "x", "max_running": 0 })),
        ("/max_running", json!({ "kind": "agent", "name": nobody, "max_running": 1 })),
        (
            "/rate/max_starts",
            json!({ "kind": "key", "name": "x", "rate": { "max_starts": 0, "per_seconds": 1 } }),
        ),
        ("/rate/per_seconds", json!({ "kind": "key", "name": "x", "rate": { "max_starts": 1 } })),
    ] {
        let answer = api.put("/api/v1/limits", body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{body}"
        );
    }
    assert_eq!(api.get("/api/v1/limits").await.body["items"], json!([]));
}

#[tokio::test]
async fn a_key_has_one_place_unless_a_limit_gives_it_more() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let body = json!({ "title": "T", "concurrency_key": "shop" });
    let (first, second) = (api.task(body.clone()).await, api.task(body).await);
    let status = async |id| hive.store.task(id).await.unwrap().status;
    assert_eq!((status(first).await, status(second).await), (TaskStatus::Ready, TaskStatus::Pending));
    let why = api.get(&format!("/api/v1/tasks/{second}/why")).await.body;
    assert_eq!((&why["cause"], &why["tasks"]), (&json!("concurrency"), &json!([first])), "{why}");

    let limit = json!({ "kind": "key", "name": "shop", "max_running": 2, "rate": null });
    assert_eq!(api.put("/api/v1/limits", limit).await.status, 204);
    let shown = api.get("/api/v1/limits").await.body;
    assert_eq!((&shown["items"][0]["name"], &shown["items"][0]["max_running"]), (&json!("shop"), &json!(2)));
    hive.store.admit(&["shop".to_owned()]).await.unwrap();
    assert_eq!(status(second).await, TaskStatus::Ready);

    for status in [204, 404] {
        let answer = Answer::of(api.request(Method::DELETE, "/api/v1/limits?kind=key&name=shop")).await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn an_old_backlog_refuses_low_priority_alone() {
    let mut hive = Hive::start().await;
    hive.config.admission_seconds = 60;
    hive.agent("backend", "Ada").await;
    let api = hive.api().await;
    let post =
        async |priority: i64| api.post("/api/v1/tasks", json!({ "title": "T", "priority": priority })).await;
    let accepted = api.post_keyed("/api/v1/tasks", "early", json!({ "title": "T", "priority": 9 })).await;
    assert_eq!(accepted.status, 201);
    // Ready since then, and no worker is here.
    api.task(json!({ "title": "Old", "run_at": "2020-01-01T00:00:00Z" })).await;
    let refused = eventually("the gate closes", async || {
        let answer = post(7).await;
        (answer.status == 429).then_some(answer)
    })
    .await;
    refused.problem(429, "backlog");
    assert_eq!(refused.header("retry-after"), "30");
    assert_eq!(post(6).await.status, 201, "what is more urgent is accepted");
    let metrics = api.get("/metrics").await.text;
    let gauge = metrics.lines().find(|line| line.starts_with("hive_admission_oldest_ready_seconds"));
    let seconds: f64 = gauge.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(seconds > 100.0, "{seconds}");
    let before: Value = api.get("/api/v1/tasks?limit=200").await.body;
    assert_eq!(post(8).await.status, 429);
    let again = api.post_keyed("/api/v1/tasks", "early", json!({ "title": "T", "priority": 9 })).await;
    assert_eq!((again.status, &again.text), (accepted.status, &accepted.text), "it was accepted in time");
    let many = json!({ "tasks": [{ "title": "A", "priority": 5 }, { "title": "B", "priority": 9 }] });
    let refused = api.post("/api/v1/tasks/bulk", many).await;
    refused.problem(429, "backlog");
    assert_eq!(refused.header("retry-after"), "30");
    assert_eq!(api.get("/api/v1/tasks?limit=200").await.body["items"], before["items"], "no row is left");
}
