//! What is let in: headers, size, what the rules allow, counting, the catalogue.

use hive_double::DoubleConfig;
use reqwest::Response;
use serde_json::{Value, json};

use crate::bodies::{assistant, marked, model, result, talk, tool_use, user};
use crate::client::{Api, hello, hello_with, tool};

#[tokio::test]
async fn what_the_rules_allow_is_answered() {
    let api = Api::default_part().await;
    let tools = json!([tool("shell")]);
    let closed = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let choice = json!({ "type": "auto", "disable_parallel_tool_use": true });
    let budget = json!({ "type": "enabled", "budget_tokens": 1_024 });
    let cases = vec![
        hello(),
        marked(4),
        hello_with(json!({ "max_tokens": 0 })),
        hello_with(json!({ "system": "Be kind.", "metadata": { "user_id": "u" } })),
        hello_with(json!({ "stop_sequences": ["END"], "service_tier": "auto", "speed": "standard" })),
        hello_with(json!({ "thinking": { "type": "between_tools" }, "output_config": { "effort": "low" } })),
        hello_with(json!({ "tools": tools, "tool_choice": choice })),
        hello_with(json!({ "tools": [{ "name": "a", "strict": true, "input_schema": closed }] })),
        hello_with(json!({ "tools": [{ "type": "memory_20250818", "name": "memory" }] })),
        model("claude-haiku-5-5", json!({ "tools": tools, "tool_choice": { "type": "any" } })),
        model("claude-haiku-5-5", json!({ "thinking": { "type": "disabled" } })),
        model("claude-haiku-4-5-20251001", json!({})),
        model("claude-sonnet-4-6", json!({ "thinking": budget, "max_tokens": 2_048 })),
        model("claude-sonnet-4-5", json!({ "messages": [user(json!("a")), assistant(json!("b"))] })),
        talk(json!([user(json!("a")), user(json!("b"))])),
        talk(json!([user(json!("a")), { "role": "system", "content": "now be brief" }])),
        talk(json!([
            user(json!("a")),
            assistant(json!([tool_use("t1"), tool_use("t2")])),
            user(json!([result("t1")])),
            user(json!([result("t2"), { "type": "text", "text": "and?" }]))
        ])),
    ];
    for body in cases {
        let (status, answer) = api.post(&body).await;
        assert_eq!(status, 200, "{body} got {answer}");
    }
}

#[tokio::test]
async fn an_unknown_model_is_not_found() {
    let api = Api::default_part().await;
    let (status, answer) = api.post(&model("claude-3-5-sonnet-latest", json!({}))).await;
    assert_eq!(status, 404);
    let expected = json!({ "type": "not_found_error", "message": "model: claude-3-5-sonnet-latest" });
    assert_eq!(answer["error"], expected);
}

/// Sends the smallest request with these headers alone, written as `name: value`.
async fn with_headers(api: &Api, body: &Value, headers: &[&str]) -> Response {
    let mut request = api.http.post(api.url("/v1/messages")).body(body.to_string());
    for header in headers {
        let (name, value) = header.split_once(": ").expect("the test writes a name and a value");
        request = request.header(name, value);
    }
    request.send().await.expect("an answer comes")
}

#[tokio::test]
async fn credential_and_version_are_demanded() {
    let config = DoubleConfig { keys: vec!["good".to_owned()], ..DoubleConfig::default() };
    let api = Api::start(config).await;
    let new = "anthropic-version: 2026-10-21";
    let old = "anthropic-version: 2023-06-01";
    let cases = [
        (vec![new], 401, "authentication_error"),
        (vec![new, "x-api-key: bad"], 401, "authentication_error"),
        (vec![new, "authorization: Basic good"], 401, "authentication_error"),
        (vec![new, "x-api-key: bad", "authorization: Bearer good"], 401, "authentication_error"),
        (vec!["x-api-key: good"], 400, "invalid_request_error"),
        (vec!["x-api-key: good", "anthropic-version: 2024-01-01"], 400, "invalid_request_error"),
        (vec![new, "x-api-key: good"], 200, ""),
        (vec![old, "authorization: Bearer good"], 200, ""),
    ];
    for (headers, status, kind) in cases {
        let response = with_headers(&api, &hello(), &headers).await;
        assert_eq!(response.status(), status, "{headers:?}");
        assert!(response.headers().contains_key("request-id"), "{headers:?}");
        let answer: Value = response.json().await.expect("the answer is JSON");
        assert_eq!(answer["error"]["type"].as_str().unwrap_or_default(), kind, "{headers:?}");
    }
}

#[tokio::test]
async fn an_empty_key_is_no_credential() {
    let api = Api::default_part().await;
    let version = "anthropic-version: 2026-10-21";
    for (key, status) in [("x-api-key: ", 401), ("authorization: Bearer ", 401), ("x-api-key: any", 200)] {
        assert_eq!(with_headers(&api, &hello(), &[version, key]).await.status(), status, "{key:?}");
    }
}

#[tokio::test]
async fn the_older_version_takes_sampling_fields_where_the_model_does() {
    let api = Api::default_part().await;
    let headers = ["x-api-key: key", "anthropic-version: 2023-06-01"];
    for (id, temperature, status) in
        [("claude-haiku-4-5", 0.2, 200), ("claude-sonnet-5-5", 0.2, 400), ("claude-sonnet-5-5", 1.0, 200)]
    {
        let body = model(id, json!({ "temperature": temperature }));
        let response = with_headers(&api, &body, &headers).await;
        assert_eq!(response.status(), status, "{id} at {temperature}");
    }
}

#[tokio::test]
async fn a_body_above_32_mb_is_too_large() {
    let api = Api::default_part().await;
    let large = "x".repeat(32 * 1024 * 1024);
    let (status, answer) = api.post(&talk(json!([user(json!(large))]))).await;
    assert_eq!(status, 413);
    assert_eq!(answer["error"]["type"], "request_too_large");
}

#[tokio::test]
async fn what_is_no_json_and_what_is_no_path_are_typed_errors_too() {
    let api = Api::default_part().await;
    let request = api.request("/v1/messages", &Value::Null).body("{\"model\":");
    let response = request.send().await.expect("an answer comes");
    let answer: Value = response.json().await.expect("an error is JSON");
    assert_eq!(answer["error"]["type"], "invalid_request_error");

    let response = api.request("/v1/complete", &hello()).send().await.expect("an answer comes");
    assert_eq!(response.status(), 404);
    assert!(response.headers().contains_key("request-id"));
    let answer: Value = response.json().await.expect("an error is JSON");
    assert_eq!(answer["error"]["type"], "not_found_error");
}

#[tokio::test]
async fn counted_tokens_are_the_tokens_of_the_prompt() {
    let api = Api::default_part().await;
    let mut body = hello_with(json!({ "system": "Be kind.", "tools": [tool("shell")] }));
    let usage = api.ask(&body).await["usage"]["input_tokens"].clone();
    let path = "/v1/messages/count_tokens";
    let refused = api.request(path, &body).send().await.expect("an answer comes");
    assert_eq!(refused.status(), 400, "max_tokens does not belong there");
    if let Some(fields) = body.as_object_mut() {
        fields.remove("max_tokens");
    }
    let counted = api.request(path, &body).send().await.expect("an answer comes");
    let counted: Value = counted.json().await.expect("the answer is JSON");
    assert_eq!(counted, json!({ "input_tokens": usage }));
    assert_eq!(api.double.ledger().len(), 1, "counting is free");
}

async fn get(api: &Api, path: &str) -> Response {
    let request = api.http.get(api.url(path)).header("x-api-key", "key");
    request.header("anthropic-version", "2026-10-21").send().await.expect("an answer comes")
}

#[tokio::test]
async fn models_are_listed_in_pages() {
    let api = Api::default_part().await;
    let mut seen = Vec::new();
    let mut path = "/v1/models?limit=7".to_owned();
    loop {
        let page: Value = get(&api, &path).await.json().await.expect("a page is JSON");
        seen.extend(page["data"].as_array().expect("a page has data").iter().cloned());
        if page["has_more"] == false {
            break;
        }
        let last = page["last_id"].as_str().expect("a page has a last id");
        path = format!("/v1/models?limit=7&after_id={last}");
    }
    let mut ids: Vec<_> = seen.iter().map(|model| model["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), seen.len(), "no model is on two pages");
    let mut listed = seen.iter();
    let sonnet =
        listed.find(|model| model["id"] == "claude-sonnet-5-5").expect("the default model is listed");
    let thinking = &sonnet["capabilities"]["thinking"]["types"];
    assert_eq!(thinking["enabled"]["supported"], false);
    assert_eq!(thinking["between_tools"]["supported"], true);
    assert_eq!((&sonnet["max_input_tokens"], &sonnet["max_tokens"]), (&json!(1_000_000), &json!(128_000)));

    for (id, status) in [("claude-haiku-5-5", 200), ("claude-2", 404)] {
        assert_eq!(get(&api, &format!("/v1/models/{id}")).await.status(), status, "{id}");
    }
}
