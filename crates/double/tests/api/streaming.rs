//! The streamed form says the same as the JSON form.

use serde_json::{Value, json};

use crate::client::{Api, Event, append, hello, hello_with, text, tool};

const EVERYTHING: &str = r#"
rules:
  - thinking: "Let me think about this for a while, and then for a little longer."
    say: "A text with umlauts, äöü, long enough to be cut into several pieces, ünd ä wörd möre."
    tools:
      - { name: shell, input: { command: "echo \"hello\"", nested: { list: [1, 2.5, null, true] } } }
      - { name: finish, input: {} }
"#;

/// Puts the blocks of a stream together as a client does.
fn assembled(events: &[Event]) -> Value {
    let mut message = Value::Null;
    let mut json_text = String::new();
    for event in events {
        assert_eq!(event.name, event.data["type"], "name and type agree");
        let index =
            usize::try_from(event.data["index"].as_u64().unwrap_or_default()).expect("an index is small");
        match event.name.as_str() {
            "message_start" => message = event.data["message"].clone(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().expect("content is a list");
                assert_eq!(index, content.len(), "blocks come in order");
                content.push(event.data["content_block"].clone());
                json_text.clear();
            }
            "content_block_delta" => {
                let block = &mut message["content"][index];
                let delta = &event.data["delta"];
                for field in ["text", "thinking", "signature"] {
                    if let Some(piece) = delta[field].as_str() {
                        block[field] = format!("{}{piece}", block[field].as_str().unwrap_or_default()).into();
                    }
                }
                json_text.push_str(delta["partial_json"].as_str().unwrap_or_default());
            }
            "content_block_stop" => {
                if message["content"][index]["type"] == "tool_use" && !json_text.is_empty() {
                    message["content"][index]["input"] =
                        serde_json::from_str(&json_text).expect("it is JSON");
                }
            }
            "message_delta" => {
                for field in ["stop_reason", "stop_sequence", "stop_details"] {
                    message[field] = event.data["delta"][field].clone();
                }
                let usage = event.data["usage"].as_object().expect("usage is an object").clone();
                message["usage"].as_object_mut().expect("usage is an object").extend(usage);
            }
            "message_stop" | "ping" => {}
            other => panic!("unexpected event {other}"),
        }
    }
    assert_eq!(events.last().map(|event| event.name.as_str()), Some("message_stop"));
    message
}

/// Ids differ from answer to answer; everything else has to be the same.
fn without_ids(mut message: Value) -> Value {
    message["id"] = Value::Null;
    for block in message["content"].as_array_mut().expect("content is a list") {
        if block["type"] == "tool_use" {
            block["id"] = Value::Null;
        }
    }
    message
}

#[tokio::test]
async fn both_forms_say_the_same() {
    let api = Api::playing(EVERYTHING).await;
    let body = hello_with(json!({ "tools": [tool("shell"), tool("finish")] }));
    let whole = api.ask(&body).await;
    let streamed = assembled(&api.stream(&body).await);
    assert_eq!(without_ids(streamed), without_ids(whole.clone()));
    assert_eq!(whole["stop_reason"], "tool_use");
    assert_eq!(whole["content"][2]["input"]["nested"], json!({ "list": [1, 2.5, null, true] }));
    assert_eq!(whole["content"].as_array().map(Vec::len), Some(4));
    let calls = api.double.ledger();
    assert_eq!(calls[0].usage, calls[1].usage, "both forms cost the same");
    assert!(calls.iter().all(|call| !call.cut));
}

#[tokio::test]
async fn pieces_of_any_size_put_together_are_the_same_stream() {
    let pieces = EVERYTHING.replace("- thinking:", "- chunk_bytes: 7\n    thinking:");
    let api = Api::playing(&pieces).await;
    let body = hello_with(json!({ "tools": [tool("shell"), tool("finish")] }));
    let message = assembled(&api.stream(&body).await);
    assert_eq!(message["content"][2]["input"]["command"], "echo \"hello\"");
    assert!(!api.double.ledger()[0].cut);
}

#[tokio::test]
async fn events_come_one_by_one_where_the_rule_says_so() {
    let api = Api::playing("rules: [{ say: hello, between_events_ms: 40 }]").await;
    let mut body = hello();
    body["stream"] = true.into();
    let start = std::time::Instant::now();
    let mut response = api.send(&body).await;
    let mut pieces = 0;
    while response.chunk().await.expect("the stream is whole").is_some() {
        pieces += 1;
    }
    assert!(pieces >= 5, "{pieces} pieces");
    assert!(start.elapsed().as_millis() >= 200, "seven events have six gaps of 40 ms");
}

#[tokio::test]
async fn thinking_goes_back_only_where_it_came_from() {
    let api = Api::playing("rules: [{ thinking: Hm., say: Yes., tools: [{ name: shell }] }]").await;
    let mut body = hello_with(json!({ "tools": [tool("shell")] }));
    let answer = api.ask(&body).await;
    append(&mut body, &answer, &["done"]);
    api.ask(&body).await;

    let mut moved = body.clone();
    moved["messages"][0]["content"] = "another question".into();
    let (status, refused) = api.post(&moved).await;
    assert_eq!(status, 400, "{refused}");
    assert!(refused["error"]["message"].as_str().is_some_and(|said| said.contains("Invalid `signature`")));

    let mut hidden = hello_with(json!({ "thinking": { "type": "adaptive", "display": "omitted" } }));
    hidden["tools"] = body["tools"].clone();
    let answer = api.ask(&hidden).await;
    assert_eq!(answer["content"][0]["thinking"], "");
    append(&mut hidden, &answer, &["done"]);
    api.ask(&hidden).await;
}

#[tokio::test]
async fn an_answer_ends_at_a_stop_sequence_and_at_max_tokens() {
    let api = Api::playing("rules: [{ say: one two three END four }]").await;
    let stopped = api.ask(&hello_with(json!({ "stop_sequences": ["END"] }))).await;
    assert_eq!(
        (&stopped["stop_reason"], &stopped["stop_sequence"]),
        (&json!("stop_sequence"), &json!("END"))
    );
    assert_eq!(text(&stopped), "one two three ");
    let short = api.ask(&hello_with(json!({ "max_tokens": 2 }))).await;
    assert_eq!((short["stop_reason"].as_str(), text(&short).as_str()), (Some("max_tokens"), "one two"));
    assert_eq!(short["usage"]["output_tokens"], 2);
    let nothing = api.ask(&hello_with(json!({ "max_tokens": 0 }))).await;
    assert_eq!((&nothing["content"], &nothing["stop_reason"]), (&json!([]), &json!("max_tokens")));
}

#[tokio::test]
async fn a_paused_turn_can_be_sent_back_as_it_is() {
    let api = Api::playing(
        "rules: [{ when: { turn: 0 }, say: Searching., stop_reason: pause_turn }, { say: Found. }]",
    )
    .await;
    let mut body = hello();
    let paused = api.ask(&body).await;
    assert_eq!(paused["stop_reason"], "pause_turn");
    let back = json!({ "role": "assistant", "content": paused["content"] });
    body["messages"].as_array_mut().expect("a request has messages").push(back);
    assert_eq!(text(&api.ask(&body).await), "Found.");
}
