//! Stores that are away, and too much at once.

use hive_local::testing::TestStores;
use reqwest::Method;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::hive::{Answer, Api, Hive, TOKEN, eventually};

#[tokio::test]
async fn while_postgres_is_away_callers_are_told_to_come_back() {
    let hive = Hive::start().await;
    let mut config = hive.config.clone();
    config.database_url = "postgres://hive:secret@127.0.0.1:1/hive".to_owned();
    let api = Api::start(config).await;
    for request in [
        api.request(Method::GET, "/api/v1/tasks"),
        api.request(Method::POST, "/api/v1/tasks").json(&json!({ "title": "T", "duty": "noop" })),
        api.request(Method::GET, "/api/v1/agents/00000000-0000-7000-8000-000000000009"),
    ] {
        let answer = Answer::of(request).await;
        answer.problem(503, "database_unavailable");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
        assert!(!answer.text.contains("secret") && !answer.text.contains("127.0.0.1"), "{answer:?}");
    }
    assert_eq!(Answer::of(api.bare(Method::GET, "/health/live")).await.status, 200);
    eventually("not ready", async || {
        let ready = Answer::of(api.bare(Method::GET, "/health/ready")).await;
        (ready.status == 503 && ready.body["status"] == "not_ready").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_schema_that_does_not_fit_ends_the_process() {
    let hive = Hive::start().await;
    let mut config = hive.config.clone();
    config.database_url = TestStores::get().database_url().to_owned();
    let error = format!("{:#}", Api::start(config).await.ended().await.unwrap_err());
    assert!(error.starts_with("DATABASE_URL: the database schema does not fit"), "{error}");
}

#[tokio::test]
async fn what_is_too_much_is_refused_while_health_answers() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let address = api.url.strip_prefix("http://").unwrap();
    let head = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: 9\r\n\r\n"
    );
    // Requests whose body never comes hold their slots.
    let mut open = Vec::new();
    for _ in 0..512 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        open.push(stream);
    }
    let refused = eventually("the slots are taken", async || {
        let answer = api.get("/api/v1/tasks").await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    refused.problem(503, "overloaded");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(Answer::of(api.bare(Method::GET, "/health/live")).await.status, 200);
    drop(open);
    eventually("the slots are free again", async || {
        (api.get("/api/v1/tasks").await.status == 200).then_some(())
    })
    .await;
    assert!(hive.tasks().await.is_empty());
}
