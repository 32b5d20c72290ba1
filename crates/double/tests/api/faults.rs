//! Answers that break on command.

use std::time::{Duration, Instant};

use hive_double::{DoubleConfig, Script, Storm};
use serde_json::{Value, json};

use crate::client::{Api, events, hello, hello_with, text, tool};

const LONG: &str = "a text that is long enough to be sent in several deltas, one after the other, to its end";

fn streaming() -> Value {
    hello_with(json!({ "stream": true }))
}

#[tokio::test]
async fn a_status_comes_with_its_body_and_headers_and_then_passes() {
    let api = Api::playing(
        r#"
rules:
  - { times: 1, fault: { status: 429, retry_after: 3, headers: { x-should-retry: "false" } } }
  - { times: 1, fault: 529 }
  - { times: 1, fault: { status: 503, error_type: api_error, message: Down } }
  - { say: up }
"#,
    )
    .await;
    let limited = api.send(&hello()).await;
    assert_eq!(limited.status(), 429);
    assert_eq!(
        (&limited.headers()["retry-after"], &limited.headers()["x-should-retry"]),
        (&"3".parse().unwrap(), &"false".parse().unwrap())
    );
    let limited: Value = limited.json().await.expect("an error is JSON");
    assert_eq!(limited["error"]["type"], "rate_limit_error");
    let (status, overloaded) = api.post(&hello()).await;
    assert_eq!((status.as_u16(), &overloaded["error"]["type"]), (529, &json!("overloaded_error")));
    let (status, down) = api.post(&hello()).await;
    assert_eq!((status.as_u16(), &down["error"]["message"]), (503, &json!("Down")));
    assert!(api.double.ledger().is_empty(), "an error costs nothing");
    assert_eq!(text(&api.ask(&hello()).await), "up");
}

#[tokio::test]
async fn a_cut_stream_delivers_what_came_before_the_cut() {
    for (events_sent, charged) in [(1, 0), (2, 1), (3, 1), (4, 1)] {
        let api = Api::playing(&format!(
            "rules: [{{ say: \"{LONG}\", fault: {{ cut_after_events: {events_sent} }} }}]"
        ))
        .await;
        let mut response = api.send(&streaming()).await;
        assert_eq!(response.status(), 200);
        let mut received = Vec::new();
        let error = loop {
            match response.chunk().await {
                Ok(Some(bytes)) => received.extend_from_slice(&bytes),
                Ok(None) => panic!("the stream must not end in order"),
                Err(error) => break error,
            }
        };
        assert!(!error.is_timeout(), "{error:?}");
        let received = String::from_utf8(received).expect("events are text");
        assert_eq!(events(&received).len(), events_sent);
        assert_eq!(api.double.ledger().len(), charged, "charged from the first content on");
        assert!(api.double.ledger().iter().all(|call| call.cut && call.stop_reason.is_none()));
    }
}

#[tokio::test]
async fn a_cut_json_answer_is_charged_and_incomplete() {
    let api = Api::playing(&format!("rules: [{{ say: \"{LONG}\", fault: cut }}]")).await;
    let response = api.send(&hello()).await;
    assert_eq!(response.status(), 200);
    response.bytes().await.expect_err("the body must not be whole");
    let calls = api.double.ledger();
    assert_eq!((calls.len(), calls[0].cut), (1, true));
}

#[tokio::test]
async fn a_connection_cut_before_headers_gives_no_answer() {
    let api = Api::playing("rules: [{ times: 1, fault: cut_before_headers }, { say: back }]").await;
    let error = api.request("/v1/messages", &hello()).send().await.expect_err("no answer may come");
    assert!(!error.is_timeout(), "{error:?}");
    assert!(api.double.ledger().is_empty());
    assert_eq!(text(&api.ask(&hello()).await), "back");
}

#[tokio::test]
async fn an_error_event_ends_the_stream() {
    let api = Api::playing(
        "rules: [{ say: hello, fault: { error_event: { after_events: 3, error_type: api_error, message: Oh } } }]",
    )
    .await;
    let sent = api.stream(&hello()).await;
    assert_eq!(sent.len(), 4);
    let last = sent.last().expect("there are events");
    assert_eq!(last.name, "error");
    assert_eq!(last.data["error"], json!({ "type": "api_error", "message": "Oh" }));
    assert!(last.data["request_id"].as_str().is_some_and(|id| id.starts_with("req_")));
    assert!(api.double.ledger()[0].cut);
}

#[tokio::test]
async fn garbage_is_neither_json_nor_events() {
    let api = Api::playing("rules: [{ say: hello, fault: garbage }]").await;
    let body = api.send(&hello()).await.bytes().await.expect("the body is whole");
    assert!(serde_json::from_slice::<Value>(&body).is_err());
    let body = api.send(&streaming()).await.bytes().await.expect("the body is whole");
    assert!(std::str::from_utf8(&body).is_err());
    assert!(api.double.ledger().is_empty());
}

#[tokio::test]
async fn broken_tool_input_does_not_parse() {
    let api =
        Api::playing("rules: [{ tools: [{ name: shell, input: { command: ls } }], broken_json: true }]")
            .await;
    let sent = api.stream(&hello_with(json!({ "tools": [tool("shell")] }))).await;
    let input: String =
        sent.iter().filter_map(|event| event.data["delta"]["partial_json"].as_str()).collect();
    assert_eq!(input, "{\"command\":\"ls\"");
}

#[tokio::test]
async fn a_stalled_stream_stays_open_until_the_double_goes() {
    let api = Api::playing(&format!("rules: [{{ say: \"{LONG}\", fault: stall }}]")).await;
    let mut response = api.send(&streaming()).await;
    let first = response.chunk().await.expect("the first events come");
    assert!(first.is_some());
    let more = tokio::time::timeout(Duration::from_millis(200), response.chunk()).await;
    assert!(more.is_err(), "nothing more comes");
    let start = Instant::now();
    api.double.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(4), "an open answer does not hold the double up");
    assert!(response.chunk().await.is_err(), "the answer is cut");
}

#[tokio::test]
async fn nothing_answers_after_a_shutdown() {
    let api = Api::default_part().await;
    let url = api.url("/_double/health");
    assert!(api.http.get(&url).send().await.is_ok());
    api.double.shutdown().await;
    let error = api.http.get(&url).send().await.expect_err("the port is closed");
    assert!(error.is_connect(), "{error:?}");
}

#[tokio::test]
async fn latency_comes_before_the_first_byte() {
    let script = Script::parse("rules: [{ say: hello, delay_ms: 60 }]").expect("it is a script");
    let latency = Duration::from_millis(60);
    let api = Api::start(DoubleConfig { script: Some(script), latency, ..DoubleConfig::default() }).await;
    let start = Instant::now();
    api.ask(&hello()).await;
    assert!(start.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn a_storm_strikes_the_same_calls_for_the_same_seed() {
    let storm = "{ seed: 7, rate: 0.5, kinds: [429, 529, cut_before_headers, { delay_ms: 1 }] }";
    let mut runs = Vec::new();
    for _ in 0..2 {
        let api = Api::default_part().await;
        api.double.set_faults(Some(Storm::parse(storm).expect("it is a storm")));
        let mut met = Vec::new();
        for _ in 0..30 {
            match api.request("/v1/messages", &hello()).send().await {
                Ok(response) => met.push(response.status().as_u16()),
                Err(_) => met.push(0),
            }
        }
        runs.push(met);
    }
    assert_eq!(runs[0], runs[1]);
    for kind in [0, 200, 429, 529] {
        assert!(runs[0].contains(&kind), "{kind} is among {:?}", runs[0]);
    }
}

#[tokio::test]
async fn a_storm_is_set_and_ended_over_the_wire() {
    let api = Api::default_part().await;
    let faults = api.url("/_double/faults");
    let set = api.http.post(&faults).body(json!({ "seed": 1, "rate": 1.0, "kinds": [500] }).to_string());
    assert_eq!(set.send().await.expect("an answer comes").status(), 204);
    assert_eq!(api.send(&hello()).await.status(), 500);
    let wrong = api.http.post(&faults).body("{ rate: 1.0, kinds: [tornado] }").send().await;
    assert_eq!(wrong.expect("an answer comes").status(), 400);
    assert_eq!(api.http.delete(&faults).send().await.expect("an answer comes").status(), 204);
    assert_eq!(api.send(&hello()).await.status(), 200);
}
