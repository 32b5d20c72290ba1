//! What the process says about itself.

use hive_local::testing::PrivateRedis;
use reqwest::Method;
use serde_json::json;

use crate::hive::{Answer, Hive, eventually};

#[tokio::test]
async fn live_and_ready_answer_anyone() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let live = Answer::of(api.bare(Method::GET, "/health/live")).await;
    assert_eq!((live.status.as_u16(), live.body), (200, json!({ "status": "live" })));
    eventually("ready", async || {
        let ready = Answer::of(api.bare(Method::GET, "/health/ready")).await;
        (ready.status == 200 && ready.body == json!({ "status": "ready", "reasons": [] })).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_detail_names_the_provider_the_components_and_the_lanes() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    api.task(json!({ "title": "T", "duty": "noop", "priority": 9 })).await;
    let detail = eventually("both are up", async || {
        let answer = api.get("/api/v1/system/health").await;
        (answer.status == 200 && answer.body["status"] == "ready").then_some(answer.body)
    })
    .await;
    assert_eq!(detail["provider"], "double");
    assert_eq!(detail["lanes"], json!({ "urgent": 0, "high": 0, "normal": 0, "low": 1, "isolated": 0 }));
    assert_eq!(detail["components"]["postgres"]["state"], "up");
    assert_eq!(detail["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_it_is_degraded_and_still_ready() {
    let mut redis = PrivateRedis::start().unwrap();
    let hive = Hive::over(redis.url()).await;
    let api = hive.api().await;
    redis.stop();
    let answer = eventually("degraded", async || {
        let answer = api.get("/health/ready").await;
        (answer.body["status"] == "degraded").then_some(answer)
    })
    .await;
    assert_eq!(answer.status, 200);
    assert!(answer.body["reasons"][0].as_str().unwrap().starts_with("redis is down"), "{answer:?}");
    assert_eq!(api.get("/api/v1/system/health").await.body["lanes"], json!(null));
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let id = api.task(json!({ "title": "T", "duty": "noop" })).await;
    api.get(&format!("/api/v1/tasks/{id}")).await;
    api.get("/a-path-that-nobody-knows").await;
    let metrics = api.get("/metrics").await.text;
    for wanted in [
        r#"http_requests_total{route="/api/v1/tasks/{id}",method="GET",status="200"}"#,
        r#"http_requests_total{route="none",method="GET",status="404"}"#,
        r#"http_request_seconds_bucket{route="/api/v1/tasks","#,
    ] {
        assert!(metrics.contains(wanted), "{wanted} is missing in {metrics}");
    }
    assert!(!metrics.contains("nobody-knows") && !metrics.contains(&id.to_string()), "{metrics}");
}

#[tokio::test]
async fn a_request_has_an_id() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let with = |id: &str| Answer::of(api.request(Method::GET, "/api/v1/tasks").header("x-request-id", id));
    assert_eq!(with("abc-1").await.header("x-request-id"), "abc-1");
    for odd in ["a b", "", &"x".repeat(101), "a;b"] {
        let id = with(odd).await.header("x-request-id").to_owned();
        assert!(id.parse::<uuid::Uuid>().is_ok(), "{id}");
    }
    let refused = Answer::of(api.bare(Method::GET, "/api/v1/tasks")).await;
    assert_eq!(refused.header("x-request-id").len(), 36);
}
