//! Message Batches, by a clock that the test drives.

use std::time::{Duration, Instant};

use hive_double::{DoubleConfig, Script};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Api, hello, hello_with};

const PATH: &str = "/v1/messages/batches";
const SCRIPT: &str = "
rules:
  - { when: { last_text: overloaded }, fault: 529 }
  - { say: 'said {{last_text}}' }
";

async fn batching(delay: Duration) -> Api {
    let config = DoubleConfig {
        script: Some(Script::parse(SCRIPT).expect("the test's script is one")),
        batch_delay: delay,
        ..DoubleConfig::default()
    };
    Api::start(config).await
}

fn asking(text: &str) -> Value {
    hello_with(json!({ "messages": [{ "role": "user", "content": text }] }))
}

async fn create(api: &Api, requests: &[(&str, Value)]) -> (u16, Value) {
    let requests: Vec<_> =
        requests.iter().map(|(id, params)| json!({ "custom_id": id, "params": params })).collect();
    let response = api.request(PATH, &json!({ "requests": requests })).send().await.expect("an answer comes");
    (response.status().as_u16(), response.json().await.expect("the answer is JSON"))
}

async fn results(api: &Api, batch: &Value) -> Vec<Value> {
    let url = batch["results_url"].as_str().expect("it has ended");
    assert!(url.starts_with(&api.double.url()), "{url}");
    let request = api.http.get(url).header("x-api-key", "key").header("anthropic-version", "2026-10-21");
    let lines = request.send().await.expect("an answer comes").text().await.expect("the body is whole");
    lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn result<'a>(results: &'a [Value], id: &str) -> &'a Value {
    let found = results.iter().find(|line| line["custom_id"] == id);
    &found.unwrap_or_else(|| panic!("{id} is missing"))["result"]
}

#[tokio::test]
async fn a_batch_ends_by_the_clock_and_costs_half() {
    let api = batching(Duration::from_secs(3_600)).await;
    let bad = json!({ "model": "claude-sonnet-5-5", "messages": [] });
    let streamed = hello_with(json!({ "stream": true }));
    let (status, batch) = create(
        &api,
        &[
            ("a", asking("one")),
            ("b", asking("overloaded")),
            ("c", bad),
            ("d", streamed),
            ("e", asking("two")),
        ],
    )
    .await;
    assert_eq!(status, 200, "{batch}");
    assert_eq!(
        (&batch["type"], &batch["processing_status"]),
        (&json!("message_batch"), &json!("in_progress"))
    );
    let id = batch["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("msgbatch_"));
    let path = format!("{PATH}/{id}");
    api.double.advance(Duration::from_secs(1_800));
    let half = api.get(&path).await;
    assert_eq!(half["request_counts"]["processing"], 5, "counts stay until the end");
    assert_eq!(half["results_url"], Value::Null);
    assert_eq!(api.call(Method::GET, &format!("{path}/results")).await.0, 400);
    assert_eq!(api.call(Method::DELETE, &path).await.0, 400);

    api.direct("clock", "{ seconds: 1800 }").await;
    assert_eq!(api.double.ledger().len(), 2, "it ends although nobody asks for it");
    let ended = api.get(&path).await;
    assert_eq!(ended["processing_status"], "ended");
    assert_eq!(
        ended["request_counts"],
        json!({ "processing": 0, "succeeded": 2, "errored": 3, "canceled": 0, "expired": 0 })
    );
    let lines = results(&api, &ended).await;
    assert_eq!(result(&lines, "a")["message"]["content"][0]["text"], "said one");
    assert_eq!(result(&lines, "e")["message"]["usage"]["service_tier"], "batch");
    assert_eq!(result(&lines, "b")["error"]["error"]["type"], "overloaded_error");
    assert!(result(&lines, "b")["error"]["request_id"].as_str().is_some_and(|id| id.starts_with("req_")));
    assert_eq!(result(&lines, "c")["error"]["error"]["type"], "invalid_request_error");
    assert_eq!(result(&lines, "d")["type"], "errored");

    api.ask(&hello()).await;
    let costs: Vec<_> =
        api.double.ledger().iter().map(|call| (call.price_percent, call.batch.clone())).collect();
    assert_eq!(costs, [(50, Some(id.clone())), (50, Some(id.clone())), (100, None)]);

    api.double.advance(Duration::from_secs(29 * 86_400));
    let archived = api.get(&path).await;
    assert!(archived["archived_at"].is_string() && archived["results_url"].is_null(), "{archived}");
    assert_eq!(api.call(Method::GET, &format!("{path}/results")).await.0, 404);
    let (status, deleted) = api.call(Method::DELETE, &path).await;
    assert_eq!((status.as_u16(), &deleted["type"]), (200, &json!("message_batch_deleted")));
    assert_eq!(api.call(Method::GET, &path).await.0, 404);
}

#[tokio::test]
async fn what_was_not_done_is_canceled_or_expires() {
    let api = batching(Duration::from_secs(4_000)).await;
    let four: Vec<_> = ["a", "b", "c", "d"].into_iter().map(|id| (id, asking(id))).collect();
    let (_, batch) = create(&api, &four).await;
    let path = format!("{PATH}/{}", batch["id"].as_str().expect("an id"));
    api.double.advance(Duration::from_secs(2_500));
    let (status, canceling) = api.call(Method::POST, &format!("{path}/cancel")).await;
    assert_eq!((status.as_u16(), &canceling["processing_status"]), (200, &json!("canceling")));
    assert!(canceling["cancel_initiated_at"].is_string());
    let ended = api.get(&path).await;
    assert_eq!(
        ended["request_counts"],
        json!({ "processing": 0, "succeeded": 2, "errored": 0, "canceled": 2, "expired": 0 })
    );
    assert_eq!(result(&results(&api, &ended).await, "d"), &json!({ "type": "canceled" }));
    assert_eq!(api.call(Method::POST, &format!("{path}/cancel")).await.0, 400);

    api.direct("batches", "{ seconds: 172800 }").await;
    let (_, slow) = create(&api, &four).await;
    api.double.advance(Duration::from_secs(86_400));
    let expired = api.get(&format!("{PATH}/{}", slow["id"].as_str().expect("an id"))).await;
    assert_eq!(
        (&expired["request_counts"]["succeeded"], &expired["request_counts"]["expired"]),
        (&json!(2), &json!(2)),
        "{expired}"
    );
    assert_eq!(result(&results(&api, &expired).await, "c"), &json!({ "type": "expired" }));
}

#[tokio::test]
async fn batches_are_listed_newest_first_in_pages() {
    let api = batching(Duration::ZERO).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, create(&api, &[("a", asking("x"))]).await.1["id"].clone());
    }
    let first = api.get(&format!("{PATH}?limit=2")).await;
    assert_eq!((&first["first_id"], &first["last_id"], &first["has_more"]), (&ids[0], &ids[1], &json!(true)));
    let next = format!("{PATH}?limit=2&after_id={}", ids[1].as_str().expect("an id"));
    let second = api.get(&next).await;
    assert_eq!((&second["data"][0]["id"], &second["has_more"]), (&ids[2], &json!(false)));
    assert_eq!(api.call(Method::GET, &format!("{PATH}?limit=0")).await.0, 400);
}

#[tokio::test]
async fn by_real_time_a_batch_ends_after_its_delay() {
    let api = batching(Duration::from_millis(300)).await;
    create(&api, &[("a", asking("x"))]).await;
    assert!(api.double.ledger().is_empty());
    let deadline = Instant::now() + Duration::from_secs(10);
    while api.double.ledger().is_empty() {
        assert!(Instant::now() < deadline, "nobody asks, and it ends all the same");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_envelope_that_is_wrong_is_refused_as_a_whole() {
    let api = batching(Duration::ZERO).await;
    let params = asking("x");
    let cases = [
        (json!({}), "requests: Field required"),
        (json!({ "requests": [] }), "at least one"),
        (json!({ "requests": [{ "custom_id": "a", "params": params }], "colour": 1 }), "colour: Extra"),
        (json!({ "requests": [{ "custom_id": "a", "params": params, "colour": 1 }] }), "requests.0.colour"),
        (json!({ "requests": [{ "custom_id": "a b", "params": params }] }), "requests.0.custom_id"),
        (json!({ "requests": [{ "params": params }] }), "requests.0.custom_id: Field required"),
        (
            json!({ "requests": [{ "custom_id": "a", "params": params }, { "custom_id": "a", "params": params }] }),
            "requests.1.custom_id",
        ),
    ];
    for (body, named) in cases {
        let response = api.request(PATH, &body).send().await.expect("an answer comes");
        assert_eq!(response.status(), 400, "{body}");
        let said: Value = response.json().await.expect("an error is JSON");
        assert!(said["error"]["message"].as_str().is_some_and(|said| said.contains(named)), "{said}");
    }
    let one = |index: u64| json!({ "custom_id": index.to_string(), "params": {} });
    let many: Vec<_> = (0..100_001).map(one).collect();
    let response = api.request(PATH, &json!({ "requests": many })).send().await.expect("an answer comes");
    assert_eq!(response.status(), 413);
    assert_eq!(api.get(PATH).await["data"], json!([]), "nothing is left behind");
}
