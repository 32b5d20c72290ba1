//! Agents on the command line: called by their names, and when they sleep by themselves.

use hive_tests::TestHive;
use serde_json::{Value, json};
use uuid::Uuid;

async fn id(hive: &TestHive, kind: &str) -> String {
    let id = sqlx::query_scalar::<_, Uuid>("SELECT id FROM agents WHERE type = $1").bind(kind);
    id.fetch_one(&hive.pool).await.unwrap().to_string()
}

#[tokio::test]
async fn an_agent_is_called_by_its_name_wherever_its_id_is_taken() {
    let hive = TestHive::builder().workers(0).start().await;
    let (qa, backend) = (id(&hive, "qa").await, id(&hive, "backend").await);
    let sent = hive.says_json(&["message", "send", "Hello", "--to", "QA", "--from", "Backend"]).await;
    assert_eq!((&sent["from_agent_id"], &sent["to_agent_id"]), (&json!(backend), &json!(qa)), "{sent:#}");
    let several = hive.says_json(&["message", "send", "Both", "--to", "QA", "--to", &backend]).await;
    assert_eq!(several["receivers"].as_array().unwrap().len(), 2, "{several:#}");
    let own = hive.says_json(&["memory", "store", "Tests are run by make.", "--agent", "qa"]).await;
    assert_eq!(
        (&own["scope"], &own["agent_id"]),
        (&json!("agent"), &json!(qa)),
        "in capitals or not: {own:#}"
    );

    for words in [
        &["agent", "show"][..],
        &["agent", "sleeps"],
        &["agent", "sleep-settings"],
        &["message", "list"],
        &["message", "inbox"],
        &["message", "dead", "--agent"],
        &["message", "search", "Hello", "--agent"],
        &["memory", "search", "Which tests?", "--agent"],
        &["task", "list", "--agent"],
        &["dead", "list", "--agent"],
        &["cycle", "list", "--agent"],
        &["task", "cancel", "--dry-run", "--agent"],
        &["task", "priority", "2", "--dry-run", "--agent"],
        &["dead", "redrive", "--dry-run", "--agent"],
    ] {
        let by_id = hive.says(&[words, &[qa.as_str()]].concat()).await;
        assert_eq!(hive.says(&[words, &["QA"]].concat()).await, by_id, "{words:?}");
        let nobody = hive.complains(1, &[words, &["Nobody"]].concat()).await;
        assert!(nobody.contains(": no agent has the id or the name Nobody"), "{words:?}: {nobody}");
    }
    let acknowledged = hive.says(&["message", "ack", "QA", sent["id"].as_str().unwrap()]).await;
    assert_eq!(acknowledged, "1 acknowledged, 0 before\n");

    let paused = hive.says_json(&["queue", "pause", "--agent", "QA"]).await;
    assert_eq!(paused["name"], json!(qa), "{paused:#}");
    hive.says(&["queue", "resume", "--agent", "QA"]).await;
    hive.says(&["queue", "limit", "--agent", "QA", "--rate", "30/60"]).await;
    assert_eq!(hive.says_json(&["queue", "limits"]).await["items"][0]["name"], json!(qa));
    hive.says(&["queue", "drop-limit", "--agent", "QA"]).await;
    assert!(hive.says(&["budget", "set", "--agent", "QA", "5"]).await.contains(&qa));
    hive.says(&["budget", "remove", "--agent", "QA"]).await;
    let night = ["schedule", "create", "n", "--cron", "@daily", "--sleep-agent", "QA", "Backend"];
    assert_eq!(hive.says_json(&night).await["sleep"], json!({ "agent_ids": [qa, backend] }));
    let cycle = hive.says_json(&["cycle", "begin", "--agent", "QA"]).await;
    assert_eq!(cycle["agent_id"], json!(qa), "{cycle:#}");
    assert_eq!(hive.says_json(&["sleep", "QA"]).await["begun"][0]["agent_id"], json!(qa));
    assert_eq!(hive.says_json(&["wake", "QA"]).await["waking"][0]["agent_id"], json!(qa));
}

#[tokio::test]
async fn a_name_that_several_agents_have_is_refused_with_their_ids() {
    let hive = TestHive::builder().workers(0).start().await;
    let first = id(&hive, "qa").await;
    let project = Uuid::now_v7();
    let make = sqlx::query("INSERT INTO projects (id, name) VALUES ($1, 'shop')").bind(project);
    make.execute(&hive.pool).await.unwrap();
    let twin = json!({ "name": "QA", "type": "qa", "project_id": project });
    let (status, twin) = hive.post("/api/v1/agents", &twin).await;
    assert_eq!(status, 201, "{twin:#}");
    let second = twin["id"].as_str().unwrap();
    let said = hive.complains(1, &["agent", "show", "QA"]).await;
    assert!(said.contains(&first) && said.contains(second) && said.contains("by its id"), "{said}");
    assert_eq!(hive.says_json(&["agent", "show", second]).await["project_id"], json!(project));

    // To the letter it is one.
    let (status, small) = hive.post("/api/v1/agents", &json!({ "name": "qa", "type": "qa" })).await;
    assert_eq!(status, 201, "{small:#}");
    assert_eq!(hive.says_json(&["agent", "show", "qa"]).await["id"], small["id"]);
}

#[tokio::test]
async fn a_change_of_when_an_agent_sleeps_leaves_the_rest_as_it_was() {
    let hive = TestHive::builder().workers(0).start().await;
    let set = async |words: &[&str]| -> Vec<Value> {
        let settings = hive.says_json(&[&["agent", "sleep-settings", "QA"], words].concat()).await;
        ["idle_seconds", "pressure_steps", "sleep_seconds", "night_usd"]
            .map(|name| settings[name].clone())
            .to_vec()
    };
    let said = set(&["--idle-seconds", "1800", "--night-usd", "0.25", "--sleep-seconds", "600"]).await;
    assert_eq!(said, [json!(1800), json!(null), json!(600), json!(0.25)]);
    assert_eq!(set(&["--pressure-steps", "500"]).await, [json!(1800), json!(500), json!(600), json!(0.25)]);
    let cleared = set(&["--idle-seconds", "none", "--sleep-seconds", "none"]).await;
    assert_eq!(cleared, [json!(null), json!(500), json!(7200), json!(0.25)]);
    assert_eq!(set(&[]).await, cleared, "a look changes nothing");
    let odd = hive.complains(2, &["agent", "sleep-settings", "QA", "--idle-seconds", "often"]).await;
    assert!(odd.contains("--idle-seconds") && odd.contains("none"), "{odd}");
    let zero = hive.complains(1, &["agent", "sleep-settings", "QA", "--pressure-steps", "0"]).await;
    assert!(zero.contains("/pressure_steps: "), "{zero}");
    assert_eq!(set(&[]).await, cleared, "what was refused changed nothing");
    assert_eq!(set(&["--reset"]).await, [json!(null), json!(null), json!(7200), json!(1.0)]);
}
