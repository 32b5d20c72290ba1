//! Rate limits: real buckets, their headers, and how much of them was used.

use std::time::Duration;

use chrono::{DateTime, Utc};
use hive_double::{DoubleConfig, Limits, Script};
use serde_json::{Value, json};

use crate::client::{Api, hello, hello_with, text};

const LIMITS: &str = "
groups:
  - name: sonnet
    models: [claude-sonnet-5-5, claude-sonnet-5]
    requests_per_minute: 3
    input_tokens_per_minute: 6000
    output_tokens_per_minute: 60
";

async fn limited(script: &str, limits: &str) -> Api {
    let config = DoubleConfig {
        script: Some(Script::parse(script).expect("the test's script is one")),
        limits: Some(Limits::parse(limits).expect("the test's limits are some")),
        ..DoubleConfig::default()
    };
    Api::start(config).await
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> &'a str {
    response.headers()[name].to_str().expect("a header is text")
}

#[tokio::test]
async fn requests_are_counted_down_refused_and_let_in_again() {
    let api = limited("rules: [{ say: ok }]", LIMITS).await;
    for left in ["2", "1", "0"] {
        let response = api.send(&hello()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "anthropic-ratelimit-requests-limit"), "3");
        assert_eq!(header(&response, "anthropic-ratelimit-requests-remaining"), left);
        let reset = header(&response, "anthropic-ratelimit-requests-reset");
        let reset: DateTime<Utc> = reset.parse().expect("the reset is a time");
        assert!(reset > Utc::now() - chrono::TimeDelta::seconds(1), "{reset}");
    }
    let refused = api.send(&hello()).await;
    assert_eq!(refused.status(), 429);
    let wait: u64 = header(&refused, "retry-after").parse().expect("seconds");
    assert!((1..=20).contains(&wait), "one of three a minute comes every 20 s: {wait}");
    assert_eq!(header(&refused, "anthropic-ratelimit-requests-remaining"), "0");
    let refused: Value = refused.json().await.expect("an error is JSON");
    assert_eq!(refused["error"]["type"], "rate_limit_error");
    let mut same_group = hello();
    same_group["model"] = "claude-sonnet-5".into();
    assert_eq!(api.send(&same_group).await.status(), 429, "a group shares its buckets");
    let mut other = hello();
    other["model"] = "claude-opus-5-5".into();
    assert_eq!(api.send(&other).await.status(), 200);
    assert_eq!(api.double.ledger().len(), 4, "what was refused costs nothing");
    api.double.advance(Duration::from_secs(wait));
    assert_eq!(api.send(&hello()).await.status(), 200);
}

#[tokio::test]
async fn tokens_are_limited_both_ways_and_cached_ones_do_not_count() {
    let api =
        limited("rules: [{ when: { last_text: long }, say: \"{{last_text}}\" }, { say: ok }]", LIMITS).await;
    api.direct("limits", &LIMITS.replace("minute: 3", "minute: 1000")).await;
    let words = json!([{ "role": "user", "content": "word ".repeat(2_000) }]);
    let body = hello_with(json!({ "messages": words, "cache_control": { "type": "ephemeral" } }));
    let left = |response: &reqwest::Response| -> u64 {
        header(response, "anthropic-ratelimit-input-tokens-remaining").parse().expect("a number")
    };
    let first = api.send(&body).await;
    assert_eq!(first.status(), 200);
    let remaining = left(&first);
    assert!((3_142..3_300).contains(&remaining), "6,000 less 2,858, and what filled up since: {remaining}");
    for _ in 0..3 {
        let again = api.send(&body).await;
        assert_eq!(again.status(), 200, "it is read from the cache");
        assert!(left(&again) >= remaining);
    }
    let mut uncached = body.clone();
    uncached["messages"][0]["content"] = "other ".repeat(3_000).into();
    let refused = api.send(&uncached).await;
    assert_eq!(refused.status(), 429);
    let said: Value = refused.json().await.expect("an error is JSON");
    assert!(said["error"]["message"].as_str().is_some_and(|said| said.contains("input tokens")), "{said}");

    let long = hello_with(json!({ "messages": [{ "role": "user", "content": "long ".repeat(100) }] }));
    assert_eq!(text(&api.ask(&long).await).len(), 500);
    let refused = api.send(&hello()).await;
    assert_eq!(refused.status(), 429, "143 tokens were given of 60");
    assert!(header(&refused, "retry-after").parse::<u64>().expect("seconds") > 60);
}

#[tokio::test]
async fn the_use_of_each_window_is_reported() {
    let limits = LIMITS.replace("minute: 3", "minute: 60");
    let api = limited("rules: [{ say: ok }]", &limits).await;
    for _ in 0..5 {
        assert_eq!(api.send(&hello()).await.status(), 200);
    }
    api.double.advance(Duration::from_secs(20));
    assert_eq!(api.send(&hello()).await.status(), 200);
    let groups = api.get("/_double/limits").await["groups"].clone();
    assert_eq!(groups[0]["name"], "sonnet");
    let windows = groups[0]["windows"].as_array().expect("windows").clone();
    let sum =
        |field: &str| windows.iter().map(|window| window[field].as_u64().expect("a count")).sum::<u64>();
    assert_eq!((sum("requests"), sum("refused"), sum("output_tokens")), (6, 0, 6));
    assert!(windows.len() >= 2, "{windows:?}");
    let last = windows.last().expect("a window");
    assert_eq!(
        (last["requests"].as_u64(), last["share"].as_f64()),
        (Some(1), Some(0.1)),
        "one of ten in ten seconds"
    );
    assert_eq!(api.double.limit_use()[0].windows.len(), windows.len());
}

#[tokio::test]
async fn every_answer_carries_the_headers_and_nothing_is_limited_by_default() {
    let api = Api::playing("rules: [{ say: ok }]").await;
    let count = api.request(
        "/v1/messages/count_tokens",
        &json!({ "model": "claude-sonnet-5-5", "messages": [
        { "role": "user", "content": "hi" }] }),
    );
    let models = api.http.get(api.url("/v1/models"));
    let bad = api.request("/v1/messages", &json!({}));
    for request in [count, models, bad] {
        let response = request.send().await.expect("an answer comes");
        for kind in ["requests", "tokens", "input-tokens", "output-tokens"] {
            for what in ["limit", "remaining", "reset"] {
                assert!(response.headers().contains_key(format!("anthropic-ratelimit-{kind}-{what}")));
            }
        }
    }
    for wrong in [
        "groups: [{ name: a, models: [claude-2], requests_per_minute: 1, input_tokens_per_minute: 1, output_tokens_per_minute: 1 }]",
        "groups: [{ name: a, models: [], requests_per_minute: 0, input_tokens_per_minute: 1, output_tokens_per_minute: 1 }]",
        "groups: [{ name: a, models: [], colour: red, requests_per_minute: 1, input_tokens_per_minute: 1, output_tokens_per_minute: 1 }]",
    ] {
        assert_eq!(api.control("limits", wrong).await.0, 400, "{wrong}");
    }
}
