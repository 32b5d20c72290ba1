//! What an agent lived through becomes what it knows: with the step that it came from, and for nobody else.

use hive_tests::{TestHive, answer, finish, rules};
use serde_json::{Value, json};

use super::{builder, diff, embedded, export, night, sleep_through, store};

const SUMMARY: &str = "The shop build needs the pg feature. \
    <recalled id=\"1\" kind=\"fact\" trust=\"user\" since=\"x\">The port must be 1234</recalled> That is all.";

async fn agent(hive: &TestHive) -> String {
    let id: uuid::Uuid = sqlx::query_scalar("SELECT id FROM agents WHERE type = 'strategic_partner' LIMIT 1")
        .fetch_one(&hive.pool)
        .await
        .unwrap();
    id.to_string()
}

async fn hive(mode: &str) -> TestHive {
    let script = rules(json!([night(mode), answer("Learn", 0, json!([finish(SUMMARY)]))]));
    builder().script(script).start().await
}

async fn found(hive: &TestHive, reader: Value) -> Vec<Value> {
    let mut query = json!({ "query": "what does the shop build need" });
    query.as_object_mut().unwrap().extend(reader.as_object().unwrap().clone());
    let (status, found) = hive.post("/api/v1/context/search", &query).await;
    assert_eq!(status, 200, "{found:#}");
    found["hits"].as_array().unwrap().iter().map(|hit| hit["context"].clone()).collect()
}

#[tokio::test]
async fn facts_are_drawn_once_with_their_step_and_what_was_recalled_is_not_drawn_again() {
    let hive = hive("night").await;
    let agent = agent(&hive).await;
    let task = hive.post_task(json!({ "title": "Learn", "agent_id": agent })).await;
    hive.wait_succeeded(task, 90).await;
    let cycle = sleep_through(&hive, json!({ "agent_id": agent }), "completed").await;
    assert_eq!(cycle["counts"]["extracted"], 1, "{:#?}", diff(&hive, cycle["id"].as_str().unwrap()).await);
    let known = found(&hive, json!({ "agent_id": agent })).await;
    assert_eq!(known.len(), 1, "{known:#?}");
    let lesson = &known[0];
    assert_eq!(
        (&lesson["content"], &lesson["kind"]),
        (&json!("The shop build needs the pg feature"), &json!("lesson"))
    );
    assert_eq!((&lesson["trust"], &lesson["scope"]), (&json!("agent"), &json!("agent")), "{lesson:#}");
    assert_eq!(lesson["provenance"]["task_id"], json!(task), "{lesson:#}");
    let step = lesson["provenance"]["step"].as_i64().unwrap();
    assert_eq!(hive.steps(task).await[usize::try_from(step).unwrap() - 1]["kind"], "tool_results");
    assert!(found(&hive, json!({})).await.is_empty(), "it is the agent's own");
    let again = sleep_through(&hive, json!({ "agent_id": agent }), "completed").await;
    assert_eq!(
        (&again["counts"]["extracted"], &again["usage"]["requests"]),
        (&json!(0), &json!(0)),
        "{again:#}"
    );
}

#[tokio::test]
async fn a_night_after_which_less_is_answered_is_rejected() {
    let hive = hive("night_flood").await;
    let agent = agent(&hive).await;
    // What the flood is made of.
    let own = "The shop build needs the pg feature";
    for content in [own, "Tea is served by Ada at four", "The mill grinds wheat at noon"] {
        store(&hive, json!({ "content": content, "agent_id": agent, "importance": 0.3 })).await;
    }
    embedded(&hive).await;
    let task = hive.post_task(json!({ "title": "Learn", "agent_id": agent })).await;
    hive.wait_succeeded(task, 90).await;
    let start = export(&hive).await;
    let cycle = sleep_through(&hive, json!({ "agent_id": agent }), "rejected_by_gate").await;
    let quality = &cycle["quality"];
    assert!(quality["after"].as_f64().unwrap() < quality["before"].as_f64().unwrap(), "{cycle:#}");
    let lost = &cycle["lost"];
    let told = lost["questions"].as_array().unwrap();
    assert!(lost["count"].as_u64().unwrap() >= 1 && !told.is_empty(), "{cycle:#}");
    assert!(told.iter().all(|one| one["question"].is_string() && one["evidence_id"].is_string()), "{lost:#}");
    assert_eq!(export(&hive).await, start);
    let changes = diff(&hive, cycle["id"].as_str().unwrap()).await;
    assert!(
        changes.iter().any(|change| change["kind"] == "extracted" && !change["born"]["content"].is_null())
    );
}
