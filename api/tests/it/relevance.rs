//! What a search found for want of anything better.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::hive::{Hive, PATIENCE};

#[tokio::test]
async fn what_only_fills_a_page_is_marked_and_grows_no_stronger() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let stored = api
        .post("/api/v1/context/store", json!({ "content": "Every service writes its logs in UTC." }))
        .await;
    let id = stored.body["id"].as_str().unwrap().to_owned();
    let deadline = Instant::now() + PATIENCE;
    // A busy machine makes vectors later, and what has no words in common is not found without.
    let asked = async |path: &str, body: Value, found: &str| loop {
        let answer = api.post(path, body.clone()).await;
        if answer.body[found][0] != json!(null) {
            return answer.body;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        sleep(Duration::from_millis(50)).await;
    };
    let search = async |query: &str| {
        let found = asked("/api/v1/context/search", json!({ "query": query }), "hits").await;
        found["hits"][0].clone()
    };
    for _ in 0..3 {
        let hit = search("zebra quantum marmalade").await;
        assert_eq!((&hit["context"]["id"], &hit["related"]), (&json!(id), &json!(false)), "{hit:#}");
    }
    let body = json!({ "search": { "query": "zebra quantum marmalade" }, "budget_tokens": 400 });
    let assembled = asked("/api/v1/context/assemble", body, "left_out").await;
    assert_eq!((&assembled["text"], &assembled["included"]), (&json!(""), &json!([])));
    assert_eq!(assembled["left_out"][0]["reason"], "unrelated", "{assembled:#}");
    assert_eq!(search("logs of a service").await["related"], true);
    // Counted some time later, and all of one process in their order.
    loop {
        let seen = api.get(&format!("/api/v1/context/{id}")).await.body["recalled"].clone();
        if seen != 0 {
            assert_eq!(seen, 1);
            return;
        }
        assert!(Instant::now() < deadline, "what was recalled is counted");
        sleep(Duration::from_millis(50)).await;
    }
}
