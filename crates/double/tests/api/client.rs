//! A plain HTTP client that knows nothing of the double's types.

use std::time::Duration;

use hive_double::{Double, DoubleConfig, DoubleHandle, Script};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

/// A running double and a client for it.
pub struct Api {
    pub double: DoubleHandle,
    pub http: reqwest::Client,
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub data: Value,
}

impl Api {
    pub async fn start(config: DoubleConfig) -> Self {
        let double = Double::start(config).await.expect("the double starts");
        let http =
            reqwest::Client::builder().timeout(Duration::from_secs(10)).build().expect("a client is built");
        Self { double, http }
    }

    pub async fn default_part() -> Self {
        Self::start(DoubleConfig::default()).await
    }

    pub async fn playing(yaml: &str) -> Self {
        let script = Script::parse(yaml).expect("the test's script is one");
        Self::start(DoubleConfig { script: Some(script), ..DoubleConfig::default() }).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.double.url())
    }

    pub fn request(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let request = self.http.post(self.url(path)).header("content-type", "application/json");
        request.header("x-api-key", "key").header("anthropic-version", "2026-10-21").body(body.to_string())
    }

    pub async fn send(&self, body: &Value) -> Response {
        self.request("/v1/messages", body).send().await.expect("an answer comes")
    }

    /// A request with betas.
    pub async fn send_beta(&self, beta: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.request("/v1/messages", body).header("anthropic-beta", beta);
        let response = request.send().await.expect("an answer comes");
        let status = response.status();
        (status, response.json().await.expect("the answer is JSON"))
    }

    /// Directs the double; its status and what it says.
    pub async fn control(&self, path: &str, text: &str) -> (StatusCode, String) {
        let request = self.http.post(self.url(&format!("/_double/{path}"))).body(text.to_owned());
        let response = request.send().await.expect("an answer comes");
        (response.status(), response.text().await.expect("the answer is whole"))
    }

    /// Directs the double, which has to take it.
    pub async fn direct(&self, path: &str, text: &str) {
        let (status, said) = self.control(path, text).await;
        assert!(status.is_success(), "{status} {said}");
    }

    /// A request without a body.
    pub async fn call(&self, method: reqwest::Method, path: &str) -> (StatusCode, Value) {
        let request = self.http.request(method, self.url(path)).header("x-api-key", "key");
        let response = request.header("anthropic-version", "2026-10-21").send().await;
        let response = response.expect("an answer comes");
        let status = response.status();
        (status, response.json().await.expect("the answer is JSON"))
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.call(reqwest::Method::GET, path).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Status and body of an answer.
    pub async fn post(&self, body: &Value) -> (StatusCode, Value) {
        let response = self.send(body).await;
        let status = response.status();
        (status, response.json().await.expect("the answer is JSON"))
    }

    /// The body of an answer that has to be 200.
    pub async fn ask(&self, body: &Value) -> Value {
        let (status, answer) = self.post(body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn stream(&self, body: &Value) -> Vec<Event> {
        let mut body = body.clone();
        body["stream"] = true.into();
        let response = self.send(&body).await;
        assert_eq!(response.status(), 200);
        events(&response.text().await.expect("the stream ends"))
    }
}

pub fn events(text: &str) -> Vec<Event> {
    let blocks = text.split("\n\n").filter(|block| !block.is_empty());
    blocks
        .map(|block| {
            let (name, data) = block.split_once('\n').expect("an event has two lines");
            Event {
                name: name.strip_prefix("event: ").expect("the first line names the event").to_owned(),
                data: serde_json::from_str(
                    data.strip_prefix("data: ").expect("the second line has the data"),
                )
                .expect("the data is JSON"),
            }
        })
        .collect()
}

/// The smallest request.
pub fn hello() -> Value {
    json!({
        "model": "claude-sonnet-5-5", "max_tokens": 1000,
        "messages": [{ "role": "user", "content": "hello" }],
    })
}

/// The smallest request with the fields of `more`.
pub fn hello_with(more: Value) -> Value {
    let mut body = hello();
    let (Some(fields), Value::Object(more)) = (body.as_object_mut(), more) else {
        panic!("a body is an object");
    };
    fields.extend(more);
    body
}

/// A tool without demands on its input.
pub fn tool(name: &str) -> Value {
    json!({ "name": name, "description": "A tool.", "input_schema": { "type": "object" } })
}

/// Appends an answer and the results of its tools to the messages of a request.
pub fn append(body: &mut Value, answer: &Value, results: &[&str]) {
    let messages = body["messages"].as_array_mut().expect("a request has messages");
    let calls = answer["content"].as_array().expect("an answer has content").iter();
    let ids = calls.filter(|block| block["type"] == "tool_use").map(|block| &block["id"]);
    let results: Vec<_> = ids
        .zip(results)
        .map(|(id, text)| json!({ "type": "tool_result", "tool_use_id": id, "content": text }))
        .collect();
    messages.push(json!({ "role": "assistant", "content": answer["content"] }));
    messages.push(json!({ "role": "user", "content": results }));
}

/// The text of an answer.
pub fn text(answer: &Value) -> String {
    let blocks = answer["content"].as_array().expect("an answer has content").iter();
    blocks.filter_map(|block| block["text"].as_str()).collect()
}

/// The first tool use of an answer.
pub fn call(answer: &Value) -> Value {
    let mut blocks = answer["content"].as_array().expect("an answer has content").iter();
    blocks.find(|block| block["type"] == "tool_use").cloned().unwrap_or_default()
}
