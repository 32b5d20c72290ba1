//! Recorded exchanges, played back.

use hive_double::{DoubleConfig, Recording};
use serde_json::{Value, json};

use crate::client::{Api, hello, hello_with};

fn line(request: &Value, status: u16, body: &str) -> String {
    let headers =
        json!({ "request-id": "req_recorded", "content-type": "text/event-stream", "content-length": "7" });
    json!({ "request": request, "status": status, "headers": headers, "body": body }).to_string()
}

async fn playing(lines: &[String]) -> Api {
    let recording = Recording::parse(&lines.join("\n")).expect("the test's recording is one");
    Api::start(DoubleConfig { recording: Some(recording), ..DoubleConfig::default() }).await
}

#[tokio::test]
async fn a_recorded_request_gets_its_recorded_bytes() {
    let events = "event: ping\ndata: {\"type\": \"ping\"}\n\n: odd spacing\n\n";
    let api = playing(&[line(&hello(), 200, events), line(&hello(), 529, "later"), String::new()]).await;
    let reordered = json!({
        "messages": [{ "content": "hello", "role": "user" }], "max_tokens": 1000, "model": "claude-sonnet-5-5",
    });
    let first = api.send(&reordered).await;
    assert_eq!(
        (first.status().as_u16(), &first.headers()["request-id"]),
        (200, &"req_recorded".parse().unwrap())
    );
    assert_eq!(first.headers()["content-type"], "text/event-stream");
    assert_eq!(first.text().await.expect("the body is whole"), events);
    for _ in 0..2 {
        assert_eq!(api.send(&hello()).await.status(), 529, "the second time, and from then on");
    }
}

#[tokio::test]
async fn an_unknown_request_is_told_where_it_differs() {
    let longer = hello_with(json!({ "messages": [
        { "role": "user", "content": "hello" }, { "role": "assistant", "content": "yes" },
        { "role": "user", "content": "go on" }] }));
    let api = playing(&[line(&hello(), 200, "a"), line(&longer, 200, "b")]).await;
    let mut other = longer.clone();
    other["messages"][2]["content"] = "go back".into();
    let (status, refused) = api.post(&other).await;
    assert_eq!(status, 400);
    assert_eq!(
        refused["error"]["message"],
        "double: no recorded request equals this one; the nearest, in line 2, differs first at \
         /messages/2/content: recorded \"go on\", sent \"go back\""
    );
    let (_, refused) = api.post(&hello_with(json!({ "max_tokens": 1001 }))).await;
    let said = refused["error"]["message"].as_str().expect("it says something");
    assert!(said.ends_with("/max_tokens: recorded 1000, sent 1001"), "{said}");
    let unauthorized = api.http.post(api.url("/v1/messages")).body(hello().to_string()).send().await;
    assert_eq!(unauthorized.expect("an answer comes").status(), 401);
}

#[test]
fn a_recording_of_another_form_is_none() {
    let good = line(&hello(), 200, "a");
    assert!(Recording::parse(&good).is_ok());
    for (wrong, named) in [
        (good.replace("\"status\":200", "\"status\":999"), "line 1: 999"),
        (good.replace("\"status\"", "\"colour\""), "line 1"),
        (format!("{good}\nnot JSON"), "line 2"),
        (String::new(), "no exchange"),
    ] {
        let error = Recording::parse(&wrong).expect_err("it is none").to_string();
        assert!(error.contains(named), "{error}");
    }
}

/// A turn of a task, with what its command printed.
fn turn(task: &str, printed: &str) -> Value {
    hello_with(json!({
        "metadata": { "user_id": task },
        "messages": [{ "role": "user", "content": format!("On hive/{task}: {printed}") }],
    }))
}

#[tokio::test]
async fn another_run_of_the_task_is_answered_and_the_lines_that_it_left_are_told() {
    let (one, other) = ("0199a0b0-0000-7000-8000-000000000001", "0199a0b0-0000-7000-8000-000000000002");
    let lines = [
        line(&turn(one, "2 tests in 0.001s"), 529, "busy"),
        line(&turn(one, "2 tests in 0.001s"), 200, "first"),
        line(&turn(one, "done at 2026-11-27T09:00:00Z"), 200, "second"),
    ];
    let api = playing(&lines).await;
    assert_eq!(api.double.unplayed(), [1, 2, 3]);
    for (body, left) in [("busy", &[2, 3][..]), ("first", &[3][..])] {
        let answer = api.send(&turn(other, "2 tests in 12.5s")).await;
        assert_eq!(answer.text().await.expect("the body is whole"), body);
        assert_eq!(api.double.unplayed(), left);
    }
    let (status, refused) = api.post(&turn(other, "2 checks in 0.001s")).await;
    assert_eq!(status, 400);
    let said = refused["error"]["message"].as_str().expect("it says something");
    assert!(
        said.ends_with(
            "recorded \"On hive/{task}: 2 tests in {time}\", sent \"On hive/{task}: 2 checks in {time}\""
        ),
        "{said}"
    );
    let health = api.http.get(api.url("/_double/health")).send().await.expect("an answer comes");
    assert_eq!(health.json::<Value>().await.expect("it is JSON")["unplayed"], json!([3]));
}

#[test]
fn half_a_line_at_the_end_is_told_as_what_it_is() {
    let good = line(&hello(), 200, "a");
    let half = format!("{good}\n{}", &good[..40]);
    let error = Recording::parse(&half).expect_err("it is half").to_string();
    assert!(error.starts_with("line 2, the last one, is half"), "{error}");
}
