//! What the real API refuses, the double refuses, with a typed error that names the place.

use serde_json::{Value, json};

use crate::bodies::{assistant, marked, model, result, talk, tool_use, user, with_block, without};
use crate::client::{Api, hello_with, tool};

/// A body, and what the error says about it.
type Case = (Value, &'static str);

async fn refused(cases: Vec<Case>) {
    let api = Api::default_part().await;
    for (body, message) in cases {
        let response = api.send(&body).await;
        let status = response.status();
        let id = response.headers()["request-id"].to_str().expect("an id is text").to_owned();
        let answer: Value = response.json().await.expect("an error is JSON");
        let about: String = body.to_string().chars().take(300).collect();
        assert_eq!(status, 400, "{about} got {answer}");
        assert_eq!(answer["type"], "error", "{about}");
        assert_eq!(answer["error"]["type"], "invalid_request_error", "{about}");
        assert_eq!(answer["request_id"], id.as_str(), "{about}");
        let said = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(said.contains(message), "{about}: expected {message:?}, got {said:?}");
    }
    assert!(api.double.ledger().is_empty(), "a refusal costs nothing");
}

#[tokio::test]
async fn fields_that_are_unknown_missing_or_misshapen() {
    refused(vec![
        (hello_with(json!({ "colour": "red" })), "colour: Extra inputs are not permitted"),
        (hello_with(json!({ "temperature": 1.0 })), "temperature: Extra inputs are not permitted"),
        (hello_with(json!({ "top_p": 0.9 })), "top_p: Extra inputs are not permitted"),
        (hello_with(json!({ "top_k": 4 })), "top_k: Extra inputs are not permitted"),
        (hello_with(json!({ "context_management": {} })), "context_management: Extra inputs"),
        (without("model"), "model: Field required"),
        (without("max_tokens"), "max_tokens: Field required"),
        (without("messages"), "messages: Field required"),
        (hello_with(json!({ "max_tokens": -1 })), "max_tokens: Input should be"),
        (hello_with(json!({ "max_tokens": 0, "stream": true })), "max_tokens: 0 is not allowed"),
        (hello_with(json!({ "max_tokens": 128_001 })), "max_tokens: 128001 > 128000"),
        (talk(json!([])), "messages: at least one message"),
        (hello_with(json!({ "metadata": { "user": "a" } })), "metadata.user: Extra inputs"),
        (hello_with(json!({ "stream": "yes" })), "stream: Input should be a valid boolean"),
        (hello_with(json!({ "stop_sequences": [" "] })), "stop_sequences"),
        (hello_with(json!({ "service_tier": "gold" })), "service_tier: Input should be 'auto'"),
        (talk(json!([user(json!("x".repeat(3_600_000)))])), "prompt is too long"),
    ])
    .await;
}

#[tokio::test]
async fn what_the_model_does_not_allow() {
    let tools = json!([tool("shell")]);
    let open = json!({ "type": "object", "properties": {} });
    let budget = |tokens: u64| json!({ "type": "enabled", "budget_tokens": tokens });
    let forced = json!({ "tools": tools, "tool_choice": { "type": "tool", "name": "shell" } });
    let hard = json!({ "thinking": { "type": "disabled" }, "output_config": { "effort": "max" } });
    let format = json!({ "format": { "type": "json_schema", "schema": open } });
    refused(vec![
        (
            hello_with(json!({ "tools": tools, "tool_choice": { "type": "any" } })),
            "tool_choice: type \"any\" is not supported by claude-sonnet-5-5",
        ),
        (model("claude-opus-5-5", forced), "tool_choice: type \"tool\" is not supported by claude-opus-5-5"),
        (
            hello_with(json!({ "thinking": budget(1_024), "max_tokens": 2_000 })),
            "thinking.type: \"enabled\" is not supported",
        ),
        (hello_with(json!({ "thinking": { "type": "disabled" } })), "thinking.type: \"disabled\""),
        (
            model("claude-opus-5-5", json!({ "thinking": { "type": "between_tools" } })),
            "thinking.type: \"between_tools\"",
        ),
        (model("claude-haiku-5-5", hard), "needs effort high or lower"),
        (
            model("claude-haiku-4-5", json!({ "thinking": budget(1_000) })),
            "thinking.budget_tokens: Input should be greater than or equal to 1024",
        ),
        (
            model("claude-haiku-4-5", json!({ "thinking": budget(1_024), "max_tokens": 1_024 })),
            "`max_tokens` must be greater than `thinking.budget_tokens`",
        ),
        (hello_with(json!({ "thinking": { "type": "adaptive", "depth": 1 } })), "thinking.depth: Extra"),
        (hello_with(json!({ "output_config": { "effort": "huge" } })), "output_config.effort"),
        (
            hello_with(json!({ "output_config": format })),
            "'additionalProperties' must be explicitly set to false",
        ),
        (
            talk(json!([user(json!("a")), assistant(json!("b"))])),
            "does not support assistant message prefill",
        ),
    ])
    .await;
}

#[tokio::test]
async fn roles_and_blocks_out_of_shape() {
    refused(vec![
        (talk(json!([assistant(json!("a")), user(json!("b"))])), "first message must use the \"user\" role"),
        (talk(json!([{ "role": "tool", "content": "a" }])), "messages.0.role: Input should be"),
        (talk(json!([{ "role": "system", "content": "a" }, user(json!("b"))])), "`system` message"),
        (talk(json!([user(json!(""))])), "non-empty content"),
        (talk(json!([user(json!([]))])), "non-empty content"),
        (talk(json!([{ "role": "user", "content": "a", "name": "x" }])), "messages.0.name: Extra inputs"),
        (with_block(json!({ "type": "text", "text": "" })), "text content blocks must be non-empty"),
        (with_block(json!({ "type": "text" })), "messages.0.content.0.text: Field required"),
        (with_block(json!({ "type": "text", "text": "a", "b": 1 })), "messages.0.content.0.b: Extra inputs"),
        (with_block(json!({ "type": "poem", "text": "a" })), "Input tag 'poem'"),
        (
            with_block(json!({ "type": "thinking", "thinking": "a", "signature": "b" })),
            "not permitted in `user`",
        ),
        (with_block(json!({ "type": "image", "source": { "type": "url" } })), "source.url: Field required"),
        (with_block(json!({ "type": "text", "text": "a", "citations": [{}] })), "citations: Extra inputs"),
        (hello_with(json!({ "system": [{ "type": "image" }] })), "system.0.type: Input should be 'text'"),
        (
            talk(json!([
                user(json!("a")),
                assistant(json!([
                    { "type": "thinking", "thinking": "hm", "signature": "forged" },
                    { "type": "text", "text": "b" }
                ])),
                user(json!("c"))
            ])),
            "messages.1.content.0: Invalid `signature` in `thinking` block",
        ),
    ])
    .await;
}

/// A conversation in which the assistant used these tools and the user answers with these blocks.
fn answered(ids: &[&str], blocks: Value) -> Value {
    let uses: Vec<_> = ids.iter().map(|id| tool_use(id)).collect();
    talk(json!([user(json!("a")), assistant(json!(uses)), user(blocks)]))
}

#[tokio::test]
async fn tool_uses_and_results_that_do_not_pair() {
    refused(vec![
        (
            answered(&["t1"], json!("b")),
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1",
        ),
        (answered(&["t1", "t2"], json!([result("t1")])), "immediately after: t2"),
        (
            talk(json!([user(json!([result("t9")]))])),
            "unexpected `tool_use_id` found in `tool_result` blocks: t9",
        ),
        (
            answered(&["t1"], json!([{ "type": "text", "text": "first" }, result("t1")])),
            "`tool_result` blocks must come first",
        ),
        (answered(&["t1"], json!([result("t1"), result("t1")])), "single result"),
        (
            talk(json!([
                user(json!("a")),
                assistant(json!([tool_use("t1")])),
                user(json!([result("t1")])),
                assistant(json!([tool_use("t1")])),
                user(json!([result("t1")]))
            ])),
            "ids must be unique",
        ),
    ])
    .await;
}

#[tokio::test]
async fn tools_and_cache_markers_out_of_shape() {
    let open = json!({ "type": "object", "properties": {} });
    refused(vec![
        (hello_with(json!({ "tools": [{ "name": "a" }] })), "tools.0.custom.input_schema: Field required"),
        (hello_with(json!({ "tools": [tool("a b")] })), "tools.0.custom.name: String should match"),
        (hello_with(json!({ "tools": [tool("a"), tool("a")] })), "Tool names must be unique"),
        (hello_with(json!({ "tool_choice": { "type": "auto" } })), "while providing tools"),
        (
            hello_with(json!({ "tools": [{ "name": "a", "strict": true, "input_schema": open }] })),
            "'additionalProperties' must be explicitly set to false",
        ),
        (marked(5), "A maximum of 4 blocks with cache_control may be provided. Found 5."),
        (hello_with(json!({ "cache_control": { "type": "forever" } })), "cache_control.type"),
        (hello_with(json!({ "cache_control": { "type": "ephemeral", "ttl": "2h" } })), "cache_control.ttl"),
    ])
    .await;
}
