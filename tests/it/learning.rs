//! What was learnt on one day is known on the next: by another agent, in another session, at the first try.

use hive_tests::{TestHive, finish, rules, shell, spoken, within};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::nights::{SOON, builder, embedded, night, sleep_through};

/// Builds when it is told what the shop needs, which is written where nobody looks first.
const BUILD: &str = "#!/bin/sh\nif [ \"$1 $2\" = '--features pg' ]; then echo built > out; echo well built; \
                     else echo 'error: no driver; see docs/drivers' >&2; exit 1; fi\n";
const FACT: &str = "The shop builds with ./build --features pg only.";

fn script() -> hive_double::Script {
    let build = |name: &str, when: Value, command: &str| json!({ "name": name, "when": when, "tools": [shell(command)] });
    let told = "(?s)remembered earlier.*--features pg";
    let remember = json!({ "name": "remember", "input": { "text": FACT, "scope": "project" } });
    let right = "sh build --features pg";
    rules(json!([
        night("night"),
        build("knows", json!({ "turn": 0, "first_text": "Build", "last_text": told }), right),
        build("tries", json!({ "turn": 0, "first_text": "Build" }), "sh build"),
        build("looks", json!({ "turn": 1, "last_result": "see docs/drivers" }), "cat docs/drivers"),
        build("finds", json!({ "turn": 2, "last_result": "pass --features pg" }), right),
        { "name": "learns", "when": { "turn": 3, "last_result": "well built" }, "tools": [remember] },
        { "name": "ends", "when": { "last_result": "well built|remembered" }, "tools": [finish("It is built.")] },
    ]))
}

async fn agent(hive: &TestHive, kind: &str) -> Uuid {
    let query = "SELECT id FROM agents WHERE type = $1 ORDER BY created_at LIMIT 1";
    sqlx::query_scalar(query).bind(kind).fetch_one(&hive.pool).await.unwrap()
}

async fn session(hive: &TestHive, name: &str) -> Value {
    let (status, session) = hive.post("/api/v1/sessions", &json!({ "name": name })).await;
    assert_eq!(status, 201, "{session:#}");
    session["id"].clone()
}

/// Builds what lies in a repository of its own.
async fn build(hive: &TestHive, name: &str, mut who: Value) -> Uuid {
    let files = [("build", BUILD), ("docs/drivers", "For the orders of the shop: pass --features pg\n")];
    let repo = hive.repo(name, &files);
    who["title"] = json!("Build");
    who["description"] = json!("Build the shop in this repository.");
    who["repository"] = repo.json();
    let id = hive.post_task(who).await;
    hive.wait_succeeded(id, 120).await;
    hive.assert_whole(id).await;
    id
}

/// How many tries of the build failed.
async fn failed_tries(hive: &TestHive, id: Uuid) -> usize {
    let steps = hive.steps(id).await;
    steps.iter().filter(|step| step.to_string().contains("error: no driver")).count()
}

/// The tokens that the double charged for a task.
fn tokens(hive: &TestHive, id: Uuid) -> u64 {
    let charged = hive.charged(id);
    charged.input_tokens + charged.output_tokens + charged.cache_read_tokens + charged.cache_write_tokens
}

fn first_request(hive: &TestHive, id: Uuid) -> String {
    let requests = hive.double.requests();
    requests.iter().find(|request| request.user_id == Some(id.to_string())).map(spoken).unwrap()
}

#[tokio::test]
async fn the_second_day_succeeds_at_once_because_the_first_was_remembered() {
    let hive = builder().script(script()).start().await;
    let (backend, frontend) = (agent(&hive, "backend").await, agent(&hive, "frontend").await);
    let (monday, tuesday) = (session(&hive, "Monday").await, session(&hive, "Tuesday").await);

    let learnt = build(&hive, "one", json!({ "agent_id": backend, "session_id": monday })).await;
    assert_eq!(failed_tries(&hive, learnt).await, 1);
    embedded(&hive).await;
    let (status, put) = hive.post("/api/v1/system/sleep", &json!({ "agent_ids": [backend] })).await;
    assert_eq!(status, 202, "{put:#}");
    let sleeps = format!("/api/v1/agents/{backend}/sleeps");
    within(SOON, "the agent has slept", async || {
        (hive.get(&sleeps).await["items"][0]["state"] == "awake").then_some(())
    })
    .await;
    sleep_through(&hive, json!({}), "completed").await;

    // Another agent, another session, another repository.
    let second = build(&hive, "two", json!({ "agent_id": frontend, "session_id": tuesday })).await;
    assert_eq!(failed_tries(&hive, second).await, 0, "it knows");
    let receipt = hive.steps(second).await[0]["content"]["receipt"].clone();
    let known = receipt["included"].as_array().unwrap();
    assert_eq!(known.len(), 1, "{receipt:#}");
    let entry = hive.get(&format!("/api/v1/context/{}", known[0]["id"].as_str().unwrap())).await;
    assert_eq!((&entry["content"], &entry["scope"]), (&json!(FACT), &json!("project")), "{entry:#}");
    let from = &entry["provenance"];
    assert_eq!(from["task_id"], json!(learnt), "{entry:#}");
    let source = usize::try_from(from["step"].as_i64().unwrap()).unwrap();
    let steps = hive.steps(learnt).await;
    assert!(steps[source - 1].to_string().contains(FACT), "{:#}", steps[source - 1]);

    // The same agent again: what the night saved, as the product counts it and as the double charged it.
    let again = build(&hive, "three", json!({ "agent_id": backend, "session_id": tuesday })).await;
    assert_eq!(failed_tries(&hive, again).await, 0);
    let saving = hive.get(&sleeps).await["items"][0]["saving"].clone();
    for (side, id) in [("before", learnt), ("after", again)] {
        assert_eq!(saving[side]["tasks"], 1, "{saving:#}");
        let counted = saving[side]["tokens_per_task"].as_f64().unwrap();
        assert!(
            (counted - tokens(&hive, id) as f64).abs() < 0.5,
            "{side}: {} charged, {saving:#}",
            tokens(&hive, id)
        );
    }
    let (before, after) = (tokens(&hive, learnt), tokens(&hive, again));
    println!("tokens a task: {before} before the night, {after} after it");
    assert!(after < before && tokens(&hive, second) < before, "{before}, {after}");

    // Whoever has no part in the project is told nothing, and has to find out.
    let other = Uuid::now_v7();
    let project = "INSERT INTO projects (id, name) VALUES ($1, 'other')";
    sqlx::query(project).bind(other).execute(&hive.pool).await.unwrap();
    let body = json!({ "name": "Outside", "type": "backend", "project_id": other });
    let (status, outside) = hive.post("/api/v1/agents", &body).await;
    assert_eq!(status, 201, "{outside:#}");
    let stranger = build(&hive, "four", json!({ "agent_id": outside["id"], "project_id": other })).await;
    assert_eq!(failed_tries(&hive, stranger).await, 1);
    assert!(!first_request(&hive, stranger).contains("--features"), "{}", first_request(&hive, stranger));
    assert!(first_request(&hive, second).contains("--features"));
    assert_eq!(hive.says_json(&["verify", "--all"]).await["violations"], 0);
}
