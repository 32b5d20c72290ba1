//! Thinking blocks are bound to the prefix they were an answer to.

use serde_json::{Value, json};

use crate::client::{Api, append, hello, hello_with, tool};

const BETA: &str = "thinking-binding-controls-2026-08-01";
const THINKS: &str =
    "rules: [{ when: { turn: 0 }, thinking: I look., tools: [{ name: shell }] }, { say: done }]";

/// A second turn whose history holds a thinking block.
async fn second_turn(api: &Api) -> Value {
    let mut body = hello_with(json!({ "tools": [tool("shell")], "system": "Be brief." }));
    let answer = api.ask(&body).await;
    assert_eq!(answer["content"][0]["type"], "thinking");
    append(&mut body, &answer, &["done"]);
    body
}

#[tokio::test]
async fn a_changed_prefix_is_refused_in_the_documented_words() {
    let api = Api::playing(THINKS).await;
    let body = second_turn(&api).await;
    api.ask(&body).await;
    let changes = [
        ("/messages/0/content", json!("another question")),
        ("/system", json!("Be long.")),
        ("/tools/0/description", json!("Another tool.")),
        ("/messages/1/content/0/thinking", json!("I thought otherwise.")),
        ("/messages/1/content/0/signature", json!("double-0-0")),
    ];
    for (pointer, value) in changes {
        let mut changed = body.clone();
        *changed.pointer_mut(pointer).expect("the body has it") = value;
        let (status, refused) = api.post(&changed).await;
        assert_eq!(status, 400, "{pointer}: {refused}");
        assert_eq!(
            refused["error"]["message"],
            "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different \
             conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to \
             \"drop_block\"."
        );
    }
    let mut without = body.clone();
    without["system"] = "Be long.".into();
    without["messages"][1]["content"].as_array_mut().expect("blocks").remove(0);
    api.ask(&without).await;
}

#[tokio::test]
async fn blocks_of_another_conversation_are_dropped_for_who_asks_and_reported() {
    let api = Api::playing(THINKS).await;
    let mut body = second_turn(&api).await;
    body["thinking"] =
        json!({ "type": "adaptive", "block_binding": { "prefix_mismatch_behavior": "drop_block" } });
    let (status, refused) = api.post(&body).await;
    assert_eq!(
        (status.as_u16(), &refused["error"]["message"]),
        (400, &json!("thinking.block_binding: Extra inputs are not permitted"))
    );
    let (status, kept) = api.send_beta(BETA, &body).await;
    assert_eq!((status.as_u16(), &kept["input_transformations"]), (200, &json!([])));

    body["messages"][0]["content"] = "another question".into();
    let (status, dropped) = api.send_beta(BETA, &body).await;
    assert_eq!(status, 200, "{dropped}");
    assert_eq!(
        dropped["input_transformations"],
        json!([{ "type": "thinking_dropped", "path": "messages.1.content.0", "reason": "prefix_binding_mismatch" }])
    );
    let with: u64 = kept["usage"]["input_tokens"].as_u64().expect("tokens");
    let without = dropped["usage"]["input_tokens"].as_u64().expect("tokens");
    assert!(without < with, "what was dropped is not paid for: {without} of {with}");

    body["thinking"]["block_binding"]["prefix_mismatch_behavior"] = "keep".into();
    let (status, _) = api.send_beta(BETA, &body).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_signature_outlives_the_double_that_gave_it() {
    let first = Api::playing(THINKS).await;
    let body = second_turn(&first).await;
    first.double.shutdown().await;
    let second = Api::playing("rules: [{ say: still here }]").await;
    second.ask(&body).await;
}

#[tokio::test]
async fn only_models_that_bind_are_strict() {
    let api = Api::playing("rules: [{ say: hi }]").await;
    let mut body = hello();
    body["messages"].as_array_mut().expect("messages").extend([
        json!({ "role": "assistant", "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": "EqQB" }, { "type": "text", "text": "Yes?" }] }),
        json!({ "role": "user", "content": "go on" }),
    ]);
    assert_eq!(api.post(&body).await.0, 400);
    body["model"] = "claude-opus-5".into();
    api.ask(&body).await;
}
