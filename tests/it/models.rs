//! Models as data: listed by the service once for the fleet, reported and refused when they end.

use std::time::Duration;

use hive_tests::{TestHive, answer, finish, rules, within};
use serde_json::{Value, json};

/// A model that ended long ago, and what this build says to name instead.
const ENDED: (&str, &str) = ("claude-3-5-sonnet-20241022", "claude-sonnet-5-5");

/// How often the workers of a hive were told the list.
fn lists(hive: &TestHive) -> usize {
    let told = |text: String| text.matches("The service listed its models").count();
    hive.workers.iter().map(|worker| told(worker.log_text())).sum()
}

#[tokio::test]
async fn of_several_workers_one_asks_for_the_list_and_all_have_it() {
    let hive = TestHive::builder().workers(3).start().await;
    let list = within(Duration::from_secs(20), "the list is there", async || {
        let list = hive.get("/api/v1/models").await;
        (!list["refresh"]["refreshed_at"].is_null()).then_some(list)
    })
    .await;
    assert_eq!(lists(&hive), 1, "three started, and one asked");
    let model = |id: &str| list["items"].as_array().unwrap().iter().find(|model| model["id"] == id).unwrap();
    let opus = model("claude-opus-5-5");
    assert_eq!(
        (&opus["sources"]["thinking"], &opus["sources"]["forced_tool"]),
        (&json!("service"), &json!("seed"))
    );
    assert_eq!(
        (&opus["rules"]["thinking"], &opus["rules"]["forced_tool"]),
        (&json!(["adaptive"]), &json!(false))
    );
    assert_eq!((&opus["max_output_tokens"], &opus["prices"][0]["input_usd"]), (&json!(128_000), &json!(4.0)));
    assert_eq!(model("claude-haiku-5-5")["prices"][1]["above_prompt_tokens"], 100_000);
    assert_eq!(list["classes"]["light"], "claude-haiku-5-5");
    assert_eq!(model(ENDED.0)["refreshed_at"], json!(null), "the service does not list it");

    // What the table holds goes before the build, and a new list before both.
    let change = "UPDATE models SET max_output_tokens = 7 WHERE id = 'claude-opus-5-5';
                  INSERT INTO models (id, refreshed_at) VALUES ('claude-gone-1', now())";
    sqlx::raw_sql(change).execute(&hive.pool).await.unwrap();
    let list = hive.get("/api/v1/models").await;
    let opus =
        list["items"].as_array().unwrap().iter().find(|model| model["id"] == "claude-opus-5-5").unwrap();
    assert_eq!(opus["max_output_tokens"], 7);
    let said = hive.says(&["models", "refresh"]).await;
    assert!(said.contains("listed the service's models: "), "{said}");
    assert_eq!(lists(&hive), 2, "one worker took the wish");
    let after = hive.says_json(&["models", "list"]).await;
    let find =
        |id: &str| after["items"].as_array().unwrap().iter().find(|model| model["id"] == id).unwrap().clone();
    assert_eq!(find("claude-opus-5-5")["max_output_tokens"], 128_000);
    assert_eq!(find("claude-gone-1")["standing"], "vanished");
    // An old list is asked for anew without a word.
    let age = "UPDATE model_refresh SET refreshed_at = now() - interval '61 minutes'";
    sqlx::query(age).execute(&hive.pool).await.unwrap();
    within(Duration::from_secs(30), "the list is asked for anew", async || (lists(&hive) == 3).then_some(()))
        .await;
}

#[tokio::test]
async fn a_model_that_has_ended_is_told_at_the_start_refused_at_the_door_and_never_asked() {
    let script = rules(json!([answer("Well", 0, json!([finish("Done.")]))]));
    let mut hive = TestHive::builder().script(script).workers(0).start().await;
    let change = "UPDATE agent_versions v SET model = $1 FROM agents a
                  WHERE a.id = v.agent_id AND a.version = v.version AND a.type = 'qa'";
    sqlx::query(change).bind(ENDED.0).execute(&hive.pool).await.unwrap();
    hive.start_worker().await;

    // It is ready while it still looks through what is named.
    let told = within(Duration::from_secs(30), "the worker tells", async || {
        let log = hive.workers[0].log_text();
        log.lines().find(|line| line.contains(ENDED.0)).map(str::to_owned)
    })
    .await;
    within(Duration::from_secs(10), "health knows", async || {
        let health = hive.page(hive.workers[0].url(), "/health").await;
        let health: Value = serde_json::from_str(&health).unwrap();
        (health["components"]["models"]["state"] == "degraded").then_some(())
    })
    .await;
    assert!(told.contains("WARN") && told.contains("retired") && told.contains(ENDED.1), "{told}");
    let (code, _) = hive.health(hive.workers[0].url()).await;
    let health: Value = serde_json::from_str(&hive.page(hive.workers[0].url(), "/health").await).unwrap();
    let models = &health["components"]["models"];
    assert_eq!((code, &models["state"]), (200, &json!("degraded")), "{health}");
    assert!(models["reason"].as_str().unwrap().contains(ENDED.0), "{health}");
    let metrics = hive.page(hive.workers[0].url(), "/metrics").await;
    let line =
        metrics.lines().find(|line| line.starts_with("hive_model_findings") && line.contains("\"retired\""));
    assert!(line.is_some_and(|line| line.ends_with(" 1")), "{line:?}");
    let doctor = hive.command(&["doctor"]).await;
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    assert!(doctor.lines().any(|line| line.starts_with("note") && line.contains(ENDED.0)), "{doctor}");

    for (model, word) in [(ENDED.0, ENDED.1), ("claude-wrok", "claude-wrok"), ("claude-fable-5-2", "price")] {
        let body = json!({ "name": "New", "type": "backend", "model": model });
        let (status, problem) = hive.post("/api/v1/agents", &body).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/model")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    let fine = json!({ "name": "New", "type": "backend", "model": "claude-opus-5-5" });
    assert_eq!(
        hive.post("/api/v1/agents", &fine).await.0,
        201,
        "none of the refused left a trace of its name"
    );

    let ended = hive.post_task(json!({ "title": "Ended", "agent_type": "qa" })).await;
    let task = hive.wait_end(ended, 30).await;
    assert_eq!(
        (&task["status"], &task["status_reason"]),
        (&json!("failed"), &json!("model_not_found")),
        "{task}"
    );
    assert!(task["status_detail"].as_str().unwrap().contains(ENDED.1), "{task}");
    assert!(hive.double.requests().is_empty(), "nothing was sent");
    let well = hive.post_task(json!({ "title": "Well" })).await;
    hive.wait_succeeded(well, 30).await;
}
