//! Compaction on demand.

use serde_json::{Value, json};

use crate::client::{Api, hello, hello_with, text};

const BETA: &str = "compact-2026-09-04";
const SCRIPT: &str = "rules: [{ when: { first_text: WAS SAID }, say: I remember. }, { say: THIS WAS SAID }]";

fn asking() -> Value {
    hello_with(json!({ "compaction": { "type": "summarize", "instructions": "Briefly." } }))
}

async fn block(api: &Api) -> Value {
    let (status, answer) = api.send_beta(BETA, &asking()).await;
    assert_eq!((status.as_u16(), &answer["stop_reason"]), (200, &json!("compaction")), "{answer}");
    assert_eq!(answer["content"].as_array().map(Vec::len), Some(1), "the block comes alone");
    answer["content"][0].clone()
}

fn after(block: &Value) -> Value {
    hello_with(json!({ "messages": [
        { "role": "assistant", "content": [block] }, { "role": "user", "content": "go on" }] }))
}

#[tokio::test]
async fn a_conversation_goes_on_from_its_signed_summary() {
    let api = Api::playing(SCRIPT).await;
    assert_eq!(api.post(&asking()).await.0, 400, "it is a beta");
    let block = block(&api).await;
    assert_eq!((&block["type"], &block["content"]), (&json!("compaction"), &json!("THIS WAS SAID")));
    assert_eq!(text(&api.ask(&after(&block)).await), "I remember.");

    let request = api.request("/v1/messages", &{
        let mut body = asking();
        body["stream"] = true.into();
        body
    });
    let streamed = request.header("anthropic-beta", BETA).send().await.expect("an answer comes");
    let events = crate::client::events(&streamed.text().await.expect("the stream ends"));
    let delta = events.iter().find(|event| event.data["delta"]["type"] == "compaction_delta");
    assert_eq!(delta.expect("there is one").data["delta"]["content"], "THIS WAS SAID");
    let opened = events.iter().find(|event| event.name == "content_block_start").expect("a block starts");
    assert!(opened.data["content_block"]["signature"].as_str().is_some_and(|signed| !signed.is_empty()));
}

#[tokio::test]
async fn a_block_that_is_not_as_it_was_given_is_refused_by_code() {
    let api = Api::playing(SCRIPT).await;
    let block = block(&api).await;
    let with = |field: &str, value: Value| {
        let mut changed = block.clone();
        changed[field] = value;
        after(&changed)
    };
    let late = hello_with(json!({ "messages": [
        { "role": "user", "content": "hi" }, { "role": "assistant", "content": [block] },
        { "role": "user", "content": "go on" }] }));
    let twice = hello_with(json!({ "messages": [
        { "role": "assistant", "content": [block, block] }, { "role": "user", "content": "go on" }] }));
    let cases = [
        ("compaction_content_mismatch", with("content", json!("Something else."))),
        ("compaction_signature_invalid", with("signature", json!("EqQB"))),
        ("compaction_tool_changes_mismatch", with("tool_changes", json!([{ "type": "tool_removal" }]))),
        ("compaction_block_misplaced", late),
        ("compaction_block_ambiguous", twice),
    ];
    for (code, body) in cases {
        let (status, refused) = api.post(&body).await;
        assert_eq!(status, 400, "{code}: {refused}");
        assert_eq!(refused["error"]["details"]["error_code"], code, "{refused}");
    }
    let mut open = asking();
    open["tools"] = json!([crate::client::tool("shell")]);
    open["messages"].as_array_mut().expect("messages").push(json!({ "role": "assistant", "content": [
        { "type": "tool_use", "id": "toolu_1", "name": "shell", "input": {} }] }));
    let (status, refused) = api.send_beta(BETA, &open).await;
    assert_eq!(
        (status.as_u16(), &refused["error"]["details"]["error_code"]),
        (400, &json!("compaction_incomplete_turn"))
    );
    assert_eq!(api.post(&hello()).await.0, 200);
}
