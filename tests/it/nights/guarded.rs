//! What a night must not do, whoever says so.

use hive_tests::{TestHive, rules, within};
use reqwest::Method;
use serde_json::{Value, json};

use super::{SOON, begin, builder, diff, embedded, export, night, over, show, sleep_through, store, visible};

async fn hive(mode: &str) -> TestHive {
    builder().script(rules(json!([night(mode)]))).start().await
}

async fn facts(hive: &TestHive, contents: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for content in contents {
        ids.push(store(hive, json!({ "content": content, "valid_from": "2026-02-01T00:00:00Z" })).await);
    }
    embedded(hive).await;
    ids
}

async fn roll_back(hive: &TestHive, cycle: &Value, wish: Value) -> (u16, Value) {
    hive.post(&format!("/api/v1/sleep-cycles/{}/rollback", cycle["id"].as_str().unwrap()), &wish).await
}

#[tokio::test]
async fn merges_that_would_lose_a_number_a_name_or_a_negation_are_refused() {
    let hive = hive("night_wrong_merges").await;
    facts(
        &hive,
        &[
            "The shop listens on port 8080",
            "The shop listens on port 9090",
            "The cache is shared by all workers",
            "The cache is not shared by all workers",
            "Release v2.1 of the widget is stable",
            "Release v2.2 of the widget is stable",
            "The payment code is reviewed by Alice",
            "The payment code is reviewed by Bob",
            "Metrics export is enabled in the lab",
            "Metrics export is disabled in the lab",
        ],
    )
    .await;
    let start = export(&hive).await;
    let cycle = sleep_through(&hive, json!({}), "completed").await;
    assert_eq!(export(&hive).await, start);
    assert_eq!(
        (&cycle["counts"]["merged"], &cycle["counts"]["refused"]),
        (&json!(0), &json!(5)),
        "{cycle:#}"
    );
    let reasons: Vec<String> = diff(&hive, cycle["id"].as_str().unwrap())
        .await
        .iter()
        .filter(|change| change["kind"] == "refused")
        .map(|change| change["reason"].as_str().unwrap().to_owned())
        .collect();
    for word in ["8080", "negated", "2.1", "alice", "enabled"] {
        assert!(reasons.iter().any(|reason| reason.contains(word)), "{word}: {reasons:?}");
    }
}

#[tokio::test]
async fn what_merely_came_later_overtakes_nothing() {
    let hive = hive("night_wrong_updates").await;
    for (nth, content) in [
        "The invoice reviewer and billing owner of Acme is Alice",
        "The invoice reviewer and billing owner of Globex is Bob",
        "The invoices service listens on port 8080",
        "The orders service listens on port 9090",
        "Server alpha-1 has 64 GB of memory",
        "Server alpha-2 has 16 GB of memory",
    ]
    .iter()
    .enumerate()
    {
        let since = format!("2026-02-{:02}T00:00:00Z", nth + 1);
        store(&hive, json!({ "content": content, "valid_from": since })).await;
    }
    embedded(&hive).await;
    let start = export(&hive).await;
    let cycle = sleep_through(&hive, json!({}), "completed").await;
    assert_eq!(export(&hive).await, start);
    let counts = &cycle["counts"];
    assert_eq!((&counts["superseded"], &counts["refused"]), (&json!(0), &json!(3)), "{cycle:#}");
    let said = diff(&hive, cycle["id"].as_str().unwrap()).await;
    let refused = said.iter().filter(|change| change["kind"] == "refused");
    assert!(refused.clone().all(|change| change["reason"].as_str().unwrap().starts_with("not superseded")));
}

#[tokio::test]
async fn a_night_keeps_to_its_tokens_and_says_what_it_skipped() {
    let hive = hive("night").await;
    facts(
        &hive,
        &[
            "Tea is at four",
            "tea is at four!",
            "Load tests use the hammer profile",
            "The hammer profile is used by load tests",
        ],
    )
    .await;
    let cycle = sleep_through(&hive, json!({ "budget": { "tokens": 10 } }), "completed").await;
    assert_eq!(
        (&cycle["stopped_by"], &cycle["usage"]["requests"]),
        (&json!("tokens"), &json!(0)),
        "{cycle:#}"
    );
    assert_eq!(
        (&cycle["skipped"][0]["phase"], &cycle["skipped"][0]["why"]),
        (&json!("merge"), &json!("tokens"))
    );
    assert_eq!(cycle["counts"]["merged"], 1, "what needs no model is done: {cycle:#}");
    // What was skipped is asked about another night, though nothing is new.
    let cycle = sleep_through(&hive, json!({ "budget": { "usd": 1.0 } }), "completed").await;
    assert_eq!((&cycle["counts"]["merged"], &cycle["skipped"]), (&json!(2), &json!([])), "{cycle:#}");
    let (status, refused) = hive.post("/api/v1/sleep-cycles", &json!({ "budget": { "minutes": 0 } })).await;
    assert_eq!((status, &refused["errors"][0]["pointer"]), (422, &json!("/budget/minutes")), "{refused:#}");
}

#[tokio::test]
async fn a_night_whose_time_is_over_waits_for_no_answer_and_says_so() {
    let hive = hive("night").await;
    facts(
        &hive,
        &[
            "Tea is at four",
            "tea is at four!",
            "Load tests use the hammer profile",
            "The hammer profile is used by load tests",
        ],
    )
    .await;
    let slow = reqwest::Client::new()
        .post(format!("{}/_double/batches", hive.double.url()))
        .body("{ seconds: 3600 }");
    assert!(slow.send().await.unwrap().status().is_success());
    let id = begin(&hive, json!({ "budget": { "minutes": 60 } })).await;
    within(SOON, "the model is asked", async || {
        let cycle = show(&hive, &id).await;
        (cycle["usage"]["requests"] == 1).then_some(())
    })
    .await;
    let aged = "UPDATE sleep_cycles SET started_at = now() - interval '61 minutes'";
    sqlx::query(aged).execute(&hive.pool).await.unwrap();
    let cycle = over(&hive, &id).await;
    assert_eq!((&cycle["state"], &cycle["stopped_by"]), (&json!("completed"), &json!("time")), "{cycle:#}");
    assert_eq!(
        cycle["counts"]["merged"], 1,
        "what was done before its time was over is published: {cycle:#}"
    );
    assert_eq!(cycle["skipped"][0]["phase"], "merge", "{cycle:#}");
}

#[tokio::test]
async fn a_rollback_names_what_stands_in_its_way() {
    let hive = hive("night").await;
    facts(&hive, &["Load tests use the hammer profile", "The hammer profile is used by load tests"]).await;
    let start = export(&hive).await;
    let first = sleep_through(&hive, json!({}), "completed").await;
    let merged = visible(&hive).await[0].clone();
    facts(&hive, &["By load tests the hammer profile is used"]).await;
    let second = sleep_through(&hive, json!({}), "completed").await;
    assert_eq!(second["counts"]["merged"], 2, "{second:#}");

    let (status, problem) = roll_back(&hive, &first, json!({})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("sleep_cycle_conflicts")), "{problem:#}");
    let told = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(told.contains(&merged) && told.contains(second["id"].as_str().unwrap()), "{told}");
    let (status, done) = roll_back(&hive, &first, json!({ "with_later": true })).await;
    assert_eq!((status, done["items"].as_array().map(Vec::len)), (200, Some(2)), "{done:#}");
    let now = export(&hive).await;
    assert_eq!(now[..2], start[..]);
    assert_eq!(now.len(), 3);

    // What a person wrote into an entry of the night would be lost.
    let third = sleep_through(&hive, json!({}), "completed").await;
    let merged = visible(&hive).await[0].clone();
    let edit = hive.send(0, Method::GET, &format!("/api/v1/context/{merged}"), None).await;
    let tag = edit.headers()["etag"].to_str().unwrap().to_owned();
    let answer = reqwest::Client::new()
        .patch(format!("{}/api/v1/context/{merged}", hive.apis[0].url()))
        .bearer_auth(hive.token())
        .header("If-Match", tag)
        .json(&json!({ "content": "Load tests use the anvil profile" }))
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let (status, problem) = roll_back(&hive, &third, json!({})).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (409, &json!("/force")), "{problem:#}");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains(&merged), "{problem:#}");
    let said = hive.says(&["cycle", "rollback", third["id"].as_str().unwrap(), "--force"]).await;
    assert!(said.contains("is taken back"), "{said}");
    assert_eq!(export(&hive).await, now);
    let said = hive.says(&["cycle", "diff", third["id"].as_str().unwrap()]).await;
    assert!(said.contains("merged: they say the same"), "{said}");
    let listed = hive.says_json(&["cycle", "list", "--limit", "2"]).await;
    assert_eq!(listed[0]["state"], "rolled_back", "{listed:#}");
}

#[tokio::test]
async fn what_a_person_changes_meanwhile_stays_and_one_night_at_a_time_works_on_a_memory() {
    let hive = hive("night").await;
    let ids =
        facts(&hive, &["Load tests use the hammer profile", "The hammer profile is used by load tests"])
            .await;
    let slow = reqwest::Client::new()
        .post(format!("{}/_double/batches", hive.double.url()))
        .body("{ seconds: 3600 }");
    assert!(slow.send().await.unwrap().status().is_success());
    let id = begin(&hive, json!({})).await;
    within(SOON, "the model is asked", async || {
        let cycle = show(&hive, &id).await;
        (cycle["usage"]["requests"] == 1).then_some(())
    })
    .await;
    let (status, running) = hive.post("/api/v1/sleep-cycles", &json!({})).await;
    assert_eq!((status, &running["id"]), (200, &json!(id)), "{running:#}");
    super::planted::lock(&hive, &ids[0]).await;
    let start = export(&hive).await;
    within(SOON, "the batch is created", async || {
        let batches = hive.get("/api/v1/batches").await;
        (batches["items"][0]["state"] == "created").then_some(())
    })
    .await;
    hive.double.advance(std::time::Duration::from_secs(3_600));
    let cycle = over(&hive, &id).await;
    assert_eq!((&cycle["state"], &cycle["counts"]["merged"]), (&json!("completed"), &json!(0)), "{cycle:#}");
    assert_eq!(export(&hive).await, start);

    facts(&hive, &["With the hammer profile load tests are used"]).await;
    let start = export(&hive).await;
    let id = begin(&hive, json!({})).await;
    let said = hive.says_json(&["cycle", "cancel", &id]).await;
    assert_eq!(said["state"], "cancelled", "{said:#}");
    assert_eq!(export(&hive).await, start);
    let (status, problem) = hive.post(&format!("/api/v1/sleep-cycles/{id}/cancel"), &json!({})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("sleep_cycle_over")), "{problem:#}");
}
