//! Versions of the routing rules: what may stand in one, and which one is active.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hive::{Answer, Hive};

#[tokio::test]
async fn a_version_never_changes_and_one_is_active() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let list = api.get("/api/v1/routing-rules").await;
    assert_eq!((&list.body["active_version"], &list.body["items"][0]["rules"]), (&json!(1), &json!([])));
    let rule = json!({ "role": "qa", "step": "judge", "model": "hard", "effort": "high", "max_tokens": 8_000,
                       "fallback": ["claude-opus-5", "work"] });
    let added = api.post("/api/v1/routing-rules", json!({ "rules": [rule], "note": "Why" })).await;
    assert_eq!((added.status.as_u16(), added.header("etag")), (201, "W/\"2\""), "{added:?}");
    assert_eq!((&added.body["rules"][0], &added.body["active"]), (&rule, &json!(false)));
    assert_eq!(api.get(added.header("location")).await.body, added.body);
    assert_eq!(
        api.get("/api/v1/routing-rules/active").await.body["version"],
        1,
        "not before it is activated"
    );

    let activate = |version: &str, tag: &str| {
        let path = format!("/api/v1/routing-rules/{version}/activate");
        Answer::of(api.request(Method::POST, &path).header("if-match", tag))
    };
    activate("2", "W/\"2\"").await.problem(412, "routing_changed");
    assert_eq!(api.get("/api/v1/routing-rules").await.body["active_version"], 1);
    assert_eq!(activate("2", "W/\"1\"").await.body["active"], true);
    assert_eq!(api.get("/api/v1/routing-rules").await.body["active_version"], 2);
    activate("9", "*").await.problem(404, "version_not_found");
    activate("two", "*").await.problem(404, "version_not_found");
}

#[tokio::test]
async fn rules_that_could_not_be_followed_are_refused_by_name() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let with = |field: &str, value: Value| {
        let mut rule = json!({ "role": "qa", "step": "work", "model": "claude-opus-5-5" });
        rule[field] = value;
        json!({ "rules": [rule] })
    };
    let rule = json!({ "role": "qa", "step": "work", "model": "hard" });
    for (body, place) in [
        (with("model", json!("claude-wrok")), "/rules/0/model"),
        (with("model", json!("claude-3-opus-20240229")), "/rules/0/model"),
        (with("model", json!("")), "/rules/0/model"),
        (with("role", json!(" ")), "/rules/0/role"),
        (with("step", json!("sleep")), "/rules/0/step"),
        (with("max_tokens", json!(0)), "/rules/0/max_tokens"),
        (with("max_tokens", json!(128_001)), "/rules/0/max_tokens"),
        (with("fallback", json!(["claude-wrok"])), "/rules/0/fallback/0"),
        (with("fallback", json!(["work", "work"])), "/rules/0/fallback/1"),
        (with("fallback", json!(["claude-opus-5-5"])), "/rules/0/fallback/0"),
        (json!({ "rules": [rule, rule] }), "/rules/1"),
        (
            json!({ "rules": [{ "role": "*", "step": "*", "model": "claude-haiku-4-5", "effort": "max" }] }),
            "/rules/0/effort",
        ),
        (json!({ "rules": [], "note": "x".repeat(1_001) }), "/note"),
    ] {
        let answer = api.post("/api/v1/routing-rules", body.clone()).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.places(), [place], "{body}");
    }
    let ended = api.post("/api/v1/routing-rules", with("model", json!("claude-3-opus-20240229"))).await;
    assert!(ended.body["detail"].as_str().unwrap().contains("use claude-opus-5-5"), "{ended:?}");
    assert!(api.post("/api/v1/routing-rules", with("tier", json!("fast"))).await.status.is_client_error());
    assert_eq!(
        api.get("/api/v1/routing-rules").await.body["items"].as_array().unwrap().len(),
        1,
        "nothing is left"
    );

    // Activation looks again: what answered when it was written may have ended.
    let added = api.post("/api/v1/routing-rules", with("fallback", json!(["claude-opus-5"]))).await;
    assert_eq!(added.status, 201);
    hive.execute(
        "INSERT INTO models (id, lifecycle, refreshed_at) VALUES ('claude-opus-5', 'retired', now())",
    )
    .await;
    let refused = api.post("/api/v1/routing-rules/2/activate", json!({})).await;
    refused.problem(422, "validation_failed");
    assert_eq!(refused.places(), ["/rules/0/fallback/0"]);
}
