//! Answers that break in rarer ways, and answers from the future.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Api, append, events, hello, hello_with, text, tool};

const LONG: &str = "a text that is long enough to be sent in several deltas, one after the other, to its end";

async fn playing(fault: &str) -> Api {
    Api::playing(&format!("rules: [{{ say: \"{LONG}\", fault: {fault} }}]")).await
}

fn streaming() -> Value {
    hello_with(json!({ "stream": true }))
}

/// What arrives before the connection breaks or ends, in its pieces.
async fn pieces(api: &Api) -> (Vec<Vec<u8>>, bool) {
    let mut response = api.send(&streaming()).await;
    assert_eq!(response.status(), 200);
    let mut pieces = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(bytes)) => pieces.push(bytes.to_vec()),
            Ok(None) => return (pieces, true),
            Err(_) => return (pieces, false),
        }
    }
}

#[tokio::test]
async fn a_stream_can_be_cut_in_the_middle_of_an_event() {
    let (got, whole) = pieces(&playing("{ cut_in_event: 3 }").await).await;
    let got = String::from_utf8(got.concat()).expect("it is text");
    assert!(!whole && !got.ends_with("\n\n"), "{got}");
    assert_eq!(got.matches("\n\n").count(), 3);
}

#[tokio::test]
async fn the_headers_may_come_long_before_the_first_byte() {
    let api = playing("{ first_byte_ms: 300 }").await;
    let start = Instant::now();
    let mut response = api.send(&streaming()).await;
    let headers = start.elapsed();
    response.chunk().await.expect("the stream is open").expect("it has a first byte");
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert!(headers < start.elapsed(), "{headers:?}");
    assert!(text(&api.ask(&hello()).await).starts_with("a text"));
}

#[tokio::test]
async fn pings_alone_keep_a_stream_open_and_say_nothing() {
    let api = playing("{ pings_ms: 20 }").await;
    let mut response = api.send(&streaming()).await;
    let mut received = String::new();
    while received.matches("event: ping").count() < 5 {
        let piece = response.chunk().await.expect("the stream is open").expect("more is to come");
        received.push_str(std::str::from_utf8(&piece).expect("events are text"));
    }
    let names: Vec<_> = events(&received).into_iter().map(|event| event.name).collect();
    assert_eq!(names[0], "message_start");
    assert!(names[1..].iter().all(|name| name == "ping"), "{names:?}");
    assert!(api.double.ledger().is_empty());
}

#[tokio::test]
async fn broken_letters_come_in_two_pieces() {
    let (got, whole) = pieces(&playing("invalid_utf8").await).await;
    assert!(whole);
    let all = got.concat();
    let start =
        all.windows(3).position(|bytes| bytes == b"\xe2\x82\x28").expect("the broken letter is there");
    assert!(std::str::from_utf8(&all).is_err());
    let mut end = 0;
    let ends: Vec<_> = got
        .iter()
        .map(|piece| {
            end += piece.len();
            end
        })
        .collect();
    assert!(ends.contains(&(start + 2)), "it is cut within the letter: {start} in {ends:?}");
    assert!(all.ends_with(b"\n\n"), "the rest follows");
}

#[tokio::test]
async fn data_that_is_no_json_comes_between_good_events() {
    let (got, whole) = pieces(&playing("{ garbled_json_after: 2 }").await).await;
    let got = String::from_utf8(got.concat()).expect("it is text");
    assert!(whole);
    let bad: Vec<_> = got
        .split("\n\n")
        .filter_map(|event| event.split_once("\ndata: "))
        .map(|(_, data)| serde_json::from_str::<Value>(data).is_err())
        .collect();
    assert_eq!(bad.iter().filter(|bad| **bad).count(), 1);
    assert!(bad[2], "after two good ones");
    assert!(got.contains("message_stop"));
}

#[tokio::test]
async fn a_spend_limit_and_other_refusals_come_as_documented() {
    let api = playing("spend_limit").await;
    let response = api.send(&hello()).await;
    assert_eq!(response.status(), 429);
    assert!(!response.headers().contains_key("retry-after"));
    let said: Value = response.json().await.expect("an error is JSON");
    assert_eq!(said["error"]["details"], json!({ "error_code": "enforced_spend_limit_reached" }));
    let kinds = [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (408, "timeout_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ];
    for (status, kind) in kinds {
        let api =
            playing(&format!("{{ status: {status}, should_retry: false, error_code: some_code }}")).await;
        let response = api.send(&hello()).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-should-retry"]),
            (status, &"false".parse().unwrap())
        );
        let said: Value = response.json().await.expect("an error is JSON");
        assert_eq!(
            (&said["error"]["type"], &said["error"]["details"]["error_code"]),
            (&json!(kind), &json!("some_code"))
        );
        if status == 404 {
            assert_eq!(said["error"]["message"], "model: claude-sonnet-5-5");
        }
    }
    for wrong in
        ["{ cut_in_event: 1, error_type: a }", "{ pings_ms: 1, garbage: true }", "{ colour: red }", "tornado"]
    {
        let script = format!("rules: [{{ say: a, fault: {wrong} }}]");
        assert!(hive_double::Script::parse(&script).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn what_no_client_knows_can_be_sent_and_taken_back() {
    let api = Api::playing(
        "rules: [{ when: { turn: 0 }, say: hello, thinking: Hm., tools: [{ name: shell }], \
         strange: [event, field, delta, block] }, { say: bye, stop_reason: enlightenment }]",
    )
    .await;
    let mut body = hello_with(json!({ "tools": [tool("shell")] }));
    let sent = api.stream(&body).await;
    assert!(sent.iter().any(|event| event.name == "double_weather"));
    assert!(sent.iter().any(|event| event.data["delta"]["type"] == "double_glow_delta"));
    assert!(sent[0].data["message"]["double_mood"].is_object());
    let answer = api.ask(&body).await;
    assert_eq!(answer["content"][0]["type"], "double_sketch");
    assert_eq!(answer["content"][2]["double_tint"], "blue");
    append(&mut body, &answer, &["done"]);
    assert_eq!(api.ask(&body).await["stop_reason"], "enlightenment");
    body["double_tint"] = "blue".into();
    assert_eq!(api.post(&body).await.0, 400, "in a block alone it is known");
}

#[tokio::test]
async fn lines_can_be_split_at_every_byte() {
    for size in [1, 2, 3, 7] {
        let api = Api::playing(&format!("rules: [{{ say: \"ä {LONG} ü\", chunk_bytes: {size} }}]")).await;
        let (got, whole) = pieces(&api).await;
        assert!(whole);
        let said: String = events(std::str::from_utf8(&got.concat()).expect("it is text"))
            .iter()
            .filter_map(|event| event.data["delta"]["text"].as_str())
            .collect();
        assert_eq!(said, format!("ä {LONG} ü"));
    }
}
