//! The ledger and the kept requests.

use std::time::{Duration, Instant};

use hive_double::{DoubleConfig, Script, tokens};
use serde_json::{Value, json};

use crate::client::{Api, hello, hello_with, text};

async fn get(api: &Api, path: &str) -> Value {
    let response = api.http.get(api.url(path)).send().await.expect("an answer comes");
    response.json().await.expect("the answer is JSON")
}

#[tokio::test]
async fn every_charged_call_is_entered_once_with_what_it_cost() {
    let api = Api::playing("rules: [{ name: greet, say: hello yourself }]").await;
    let body = hello_with(json!({ "metadata": { "user_id": "task-1" } }));
    let answer = api.ask(&body).await;
    api.stream(&body).await;
    api.ask(&hello_with(json!({ "metadata": { "user_id": "task-2" } }))).await;

    let calls = api.double.ledger();
    assert_eq!(calls.iter().map(|call| call.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(calls.iter().map(|call| call.stream).collect::<Vec<_>>(), [false, true, false]);
    let first = &calls[0];
    assert_eq!((first.model.as_str(), first.rule.as_str(), first.turn), ("claude-sonnet-5-5", "greet", 0));
    assert_eq!((first.stop_reason.as_deref(), first.cut), (Some("end_turn"), false));
    assert_eq!((first.usage.input_tokens, first.usage.output_tokens), (tokens(5), tokens(14)));
    assert_eq!(answer["usage"]["output_tokens"], first.usage.output_tokens);
    assert_ne!(first.request_sha256, calls[1].request_sha256, "the streamed request has one field more");

    let seen = get(&api, "/_double/ledger?user_id=task-2").await;
    assert_eq!(seen["calls"].as_array().map(Vec::len), Some(1));
    assert_eq!(seen["calls"][0]["seq"], 3);
    let kept = get(&api, "/_double/requests?user_id=task-1").await;
    assert_eq!(kept.as_array().map(Vec::len), Some(2));
    assert_eq!(kept[0]["body"], body);
    assert_eq!(kept[0]["request_id"], first.request_id);

    let reset = api.http.delete(api.url("/_double/ledger")).send().await.expect("an answer comes");
    assert_eq!(reset.status(), 204);
    assert!(api.double.ledger().is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_is_charged_for_what_was_sent() {
    let long = "word ".repeat(200);
    let api = Api::playing(&format!("rules: [{{ say: \"{long}\", between_events_ms: 20 }}]")).await;
    let mut response = api.send(&hello_with(json!({ "stream": true }))).await;
    let mut received = Vec::new();
    while !String::from_utf8_lossy(&received).contains("text_delta") {
        let piece = response.chunk().await.expect("the stream is open").expect("more is to come");
        received.extend_from_slice(&piece);
    }
    drop(response);
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let calls = api.double.ledger();
        assert_eq!(calls.len(), 1, "it is entered with its first content");
        assert!(calls[0].cut);
        if calls[0].usage.output_tokens > 0 {
            assert!(calls[0].usage.output_tokens < tokens(1_000), "not all of it was sent");
            break;
        }
        assert!(Instant::now() < deadline, "the call is closed when the client is gone");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_ledger_file_outlives_the_double() {
    let folder = tempfile::tempdir().expect("a folder is made");
    let file = folder.path().join("ledger.jsonl");
    let config = || DoubleConfig {
        script: Some(
            Script::parse("rules: [{ times: 1, say: hi, fault: cut }, { say: hi }]").expect("a script"),
        ),
        ledger_file: Some(file.clone()),
        ..DoubleConfig::default()
    };
    let api = Api::start(config()).await;
    api.send(&hello()).await.bytes().await.expect_err("the first answer is cut");
    api.ask(&hello()).await;
    let before = api.double.ledger();
    api.double.shutdown().await;

    let lines = std::fs::read_to_string(&file).expect("the file can be read");
    assert_eq!(lines.lines().count(), 2);
    let again = Api::start(config()).await;
    assert_eq!(again.double.ledger(), before);
    assert_eq!(before.iter().map(|call| call.cut).collect::<Vec<_>>(), [true, false]);
    again.send(&hello()).await.bytes().await.expect_err("the script begins anew");
    assert_eq!(again.double.ledger()[2].seq, 3, "numbers go on");

    std::fs::write(&file, "not a call\n").expect("the file can be written");
    let error =
        hive_double::Double::start(config()).await.expect_err("a foreign file is refused").to_string();
    assert!(error.contains("line 1 of the ledger file"), "{error}");
}

#[tokio::test]
async fn the_second_call_reads_what_the_first_one_wrote_to_the_cache() {
    let api = Api::playing("rules: [{ say: ok }]").await;
    let body = hello_with(json!({
        "cache_control": { "type": "ephemeral" },
        "messages": [{ "role": "user", "content": "word ".repeat(1_000) }],
    }));
    let first = api.ask(&body).await["usage"].clone();
    let second = api.ask(&body).await["usage"].clone();
    assert_eq!(
        (&first["cache_creation_input_tokens"], &first["input_tokens"]),
        (&json!(tokens(5_000)), &json!(0))
    );
    assert_eq!(second["cache_read_input_tokens"], first["cache_creation_input_tokens"]);
    assert_eq!(second["cache_creation_input_tokens"], 0);
}

#[tokio::test]
async fn a_hundred_at_once_are_answered_within_their_latency() {
    let script = Script::parse("rules: [{ say: '{{last_text}}' }]").expect("it is a script");
    let latency = Duration::from_millis(50);
    let api = Api::start(DoubleConfig { script: Some(script), latency, ..DoubleConfig::default() }).await;
    let asked = (0..100).map(|number| {
        let api = &api;
        async move {
            let words = format!("number {number}");
            let body = hello_with(json!({ "messages": [{ "role": "user", "content": words }] }));
            assert_eq!(text(&api.ask(&body).await), words);
        }
    });
    let start = Instant::now();
    futures::future::join_all(asked).await;
    assert!(start.elapsed() < Duration::from_secs(4), "100 waits of 50 ms one after the other take 5 s");
    assert_eq!(api.double.ledger().len(), 100);
}

#[tokio::test]
async fn a_call_that_was_open_at_a_reset_does_not_come_back() {
    let folder = tempfile::tempdir().expect("a folder is made");
    let file = folder.path().join("ledger.jsonl");
    let script =
        Script::parse("rules: [{ times: 1, say: hi, fault: stall }, { say: hi }]").expect("a script");
    let config =
        DoubleConfig { script: Some(script), ledger_file: Some(file.clone()), ..DoubleConfig::default() };
    let api = Api::start(config).await;
    let mut open = api.send(&hello_with(json!({ "stream": true }))).await;
    open.chunk().await.expect("the first events come");
    let reset = api.http.delete(api.url("/_double/ledger")).send().await.expect("an answer comes");
    assert_eq!(reset.status(), 204);
    api.ask(&hello()).await;
    api.double.shutdown().await;
    open.chunk().await.expect_err("the open call is cut");
    let lines = std::fs::read_to_string(&file).expect("the file can be read");
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(lines.contains("\"seq\":2"), "{lines}");
}
