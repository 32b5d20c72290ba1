//! Bodies that cannot be read, and those that are too large.

use reqwest::Method;
use serde_json::json;

use crate::hive::{Answer, Hive};

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let deep = format!(
        r#"{{"title":"T","duty":"noop","context":{}1{}}}"#,
        r#"{"a":"#.repeat(5_000),
        "}".repeat(5_000)
    );
    let send = |body: Vec<u8>| {
        let request = api.request(Method::POST, "/api/v1/tasks").header("content-type", "application/json");
        Answer::of(request.body(body))
    };
    for body in [&b""[..], b"{\"title\": \"T\"", b"title=T", b"{\"title\": \"\xff\"}", deep.as_bytes()] {
        let answer = send(body.to_vec()).await;
        answer.problem(400, "malformed_json");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains("line 1 column"), "{detail}");
    }
    let large = json!({ "title": "T", "duty": "noop", "description": "x".repeat(2 << 20) });
    send(large.to_string().into_bytes()).await.problem(413, "body_too_large");

    let plain = api.request(Method::POST, "/api/v1/tasks").body(r#"{"title":"T","duty":"noop"}"#);
    Answer::of(plain).await.problem(415, "unsupported_media_type");
    let form = api.request(Method::POST, "/api/v1/tasks").header("content-type", "text/plain").body("{}");
    Answer::of(form).await.problem(415, "unsupported_media_type");
    assert!(hive.tasks().await.is_empty());

    let json =
        api.request(Method::POST, "/api/v1/tasks").header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(Answer::of(json.body(r#"{"title":"T","duty":"noop"}"#)).await.status, 201);
}

#[tokio::test]
async fn a_body_of_a_megabyte_is_the_limit() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let frame = r#"{"title":"T","duty":"noop"}"#;
    for (size, status) in [(1 << 20, 201), ((1 << 20) + 1, 413)] {
        let body = format!("{frame}{}", " ".repeat(size - frame.len()));
        let request = api.request(Method::POST, "/api/v1/tasks").header("content-type", "application/json");
        assert_eq!(Answer::of(request.body(body)).await.status, status, "{size} bytes");
    }
    assert_eq!(hive.tasks().await.len(), 1);
}
