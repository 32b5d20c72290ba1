//! Stored texts of a task: listed without their bodies, shown whole by name.

use hive_store::Claimant;
use serde_json::{Value, json};

use crate::hive::Hive;

#[tokio::test]
async fn a_stored_text_is_listed_by_name_and_shown_whole() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let (id, other) = (api.task(json!({ "title": "T" })).await, api.task(json!({ "title": "U" })).await);
    let path = format!("/api/v1/tasks/{id}/artifacts");
    assert_eq!(api.get(&path).await.body, json!({ "items": [], "next_cursor": null }));

    let large = "0123456789".repeat(1_000_000);
    let lease = hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    // A name is whatever the model's provider calls a tool use.
    for name in ["step-2-toolu_1", "step-2-a/b c?%", "diff"] {
        let body = if name == "diff" { b"+++ b\n" } else { large.as_bytes() };
        hive.store.put_artifact(id, lease.epoch(), name, "text/plain; charset=utf-8", body).await.unwrap();
    }
    let first = api.get(&format!("{path}?limit=2")).await;
    let items = first.body["items"].as_array().unwrap();
    assert_eq!(items[0]["name"], "diff");
    assert_eq!(
        (&items[0]["bytes"], &items[0]["media_type"]),
        (&json!(6), &json!("text/plain; charset=utf-8"))
    );
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let cursor = cursor.replace('%', "%25").replace('?', "%3F");
    let rest = api.get(&format!("{path}?limit=2&cursor={cursor}")).await.body;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &Value::Null));
    let shas = [&items[1]["sha256"], &rest["items"][0]["sha256"]];
    assert!(shas[0] == shas[1] && shas[0].as_str().unwrap().len() == 64, "{shas:?}");
    assert!(first.text.len() < 1_000, "no body is in the list");

    for name in ["step-2-toolu_1", "step-2-a%2Fb%20c%3F%25"] {
        let shown = api.get(&format!("{path}/{name}")).await;
        assert!(shown.text == large, "{name}: {} bytes", shown.text.len());
        assert_eq!(shown.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(shown.header("x-content-type-options"), "nosniff");
    }
    for name in ["step-3-toolu_1", "nul%00"] {
        api.get(&format!("{path}/{name}")).await.problem(404, "no_artifact");
    }
    api.get(&format!("/api/v1/tasks/{other}/artifacts/diff")).await.problem(404, "no_artifact");
    api.get(&format!("{path}?limit=0")).await.problem(400, "invalid_query");
}
