//! The simulated prompt cache, and what is said when it missed.

use std::time::Duration;

use hive_double::tokens;
use serde_json::{Value, json};

use crate::client::{Api, hello_with, tool};

fn marked(system: &str, messages: Value) -> Value {
    hello_with(json!({
        "system": system, "messages": messages, "tools": [tool("shell")], "cache_control": { "type": "ephemeral" },
    }))
}

fn turn(words: usize) -> Value {
    json!([{ "role": "user", "content": "word ".repeat(words) }])
}

async fn after(api: &Api, previous: &Value, mut body: Value) -> Value {
    body["diagnostics"] = json!({ "previous_message_id": previous["id"] });
    api.ask(&body).await
}

#[tokio::test]
async fn a_miss_is_explained_by_what_changed_first() {
    let api = Api::playing("rules: [{ say: ok }]").await;
    let first = marked("Be brief.", turn(1_000));
    let mut asking = first.clone();
    asking["diagnostics"] = json!({ "previous_message_id": null });
    let answer = api.ask(&asking).await;
    assert_eq!(answer["diagnostics"], Value::Null, "there is nothing to compare with");
    let cached = answer["usage"]["cache_creation_input_tokens"].clone();

    let mut appended = first.clone();
    appended["messages"].as_array_mut().expect("messages").extend([
        json!({ "role": "assistant", "content": "ok" }),
        json!({ "role": "user", "content": "more" }),
    ]);
    let same = after(&api, &answer, appended.clone()).await;
    assert_eq!((&same["diagnostics"], &same["usage"]["cache_read_input_tokens"]), (&Value::Null, &cached));

    let changed = |field: &str, value: Value| {
        let mut body = first.clone();
        body[field] = value;
        body
    };
    let kinds = [
        ("model_changed", changed("model", json!("claude-opus-5-5"))),
        ("tools_changed", changed("tools", json!([tool("shell"), tool("other")]))),
        ("system_changed", changed("system", json!("Be long."))),
        ("messages_changed", changed("messages", turn(999))),
    ];
    for (kind, body) in kinds {
        let reason = after(&api, &answer, body).await["diagnostics"]["cache_miss_reason"].clone();
        assert_eq!(reason, json!({ "type": kind, "cache_missed_input_tokens": cached }), "{kind}");
    }
    let other = after(&api, &answer, changed("tool_choice", json!({ "type": "none" }))).await;
    assert_eq!(other["diagnostics"]["cache_miss_reason"], json!({ "type": "unavailable" }));
    let unknown = after(&api, &json!({ "id": "msg_unknown" }), first.clone()).await;
    assert_eq!(unknown["diagnostics"]["cache_miss_reason"], json!({ "type": "previous_message_not_found" }));
    let streamed = {
        let mut body = first.clone();
        body["diagnostics"] = json!({ "previous_message_id": "msg_unknown" });
        api.stream(&body).await
    };
    assert_eq!(
        streamed[0].data["message"]["diagnostics"]["cache_miss_reason"]["type"],
        "previous_message_not_found"
    );
    let (status, _) =
        api.post(&changed("diagnostics", json!({ "previous_message_id": "x", "colour": 1 }))).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn entries_live_as_long_as_their_marker_says() {
    let api = Api::playing("rules: [{ say: ok }]").await;
    for (ttl, minutes, hour) in [("5m", 5, 0), ("1h", 60, tokens(5_000))] {
        let body = hello_with(json!({
            "messages": [{ "role": "user", "content": format!("{:05000}", minutes) }],
            "cache_control": { "type": "ephemeral", "ttl": ttl },
        }));
        let wrote = api.ask(&body).await["usage"].clone();
        assert_eq!(wrote["cache_creation"]["ephemeral_1h_input_tokens"], hour, "{ttl}");
        assert_eq!(wrote["cache_creation"]["ephemeral_5m_input_tokens"], tokens(5_000) - hour, "{ttl}");
        api.double.advance(Duration::from_secs(minutes * 60 - 5));
        assert_eq!(api.ask(&body).await["usage"]["cache_read_input_tokens"], tokens(5_000), "{ttl}");
        api.double.advance(Duration::from_secs(minutes * 60 + 5));
        assert_eq!(api.ask(&body).await["usage"]["cache_read_input_tokens"], 0, "{ttl} is over");
    }
}

#[tokio::test]
async fn a_window_is_what_a_test_says_it_is() {
    let api = Api::playing("rules: [{ say: \"one two three four five\" }]").await;
    api.direct("windows", "{ claude-sonnet-5-5: 12 }").await;
    let fits =
        api.ask(&hello_with(json!({ "messages": [{ "role": "user", "content": "0123456789" }] }))).await;
    assert_eq!(fits["stop_reason"], "end_turn");
    let body = hello_with(json!({ "messages": [{ "role": "user", "content": "x".repeat(30) }] }));
    let full = api.ask(&body).await;
    assert_eq!(full["stop_reason"], "model_context_window_exceeded", "{full}");
    let long = hello_with(json!({ "messages": [{ "role": "user", "content": "x".repeat(50) }] }));
    let (status, refused) = api.post(&long).await;
    assert_eq!(
        (status.as_u16(), &refused["error"]["message"]),
        (400, &json!("prompt is too long: 15 tokens > 12 maximum"))
    );
    let (status, said) = api.control("windows", "{ claude-2: 12 }").await;
    assert!(status == 400 && said.contains("claude-2"), "{said}");
}
