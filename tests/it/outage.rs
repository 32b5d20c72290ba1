//! An outage of the provider: first its limit, then overload, then it is well again. HIVE_OUTAGE_WHOLE=1 takes the times
//! of the scenario instead of those for CI.

use std::time::Duration;

use chrono::TimeDelta;
use hive_tests::{TestHive, rules, within};
use serde_json::{Value, json};
use sqlx::Row;
use uuid::Uuid;

const OWN: &str = "claude-sonnet-5-5";
const STANDS_IN: &str = "claude-haiku-5-5";
const TASKS: usize = 80;

struct Times {
    retry_after: u64,
    limited: Duration,
    overloaded: Duration,
    breaker: &'static str,
}

fn times() -> Times {
    if std::env::var("HIVE_OUTAGE_WHOLE").is_ok_and(|whole| whole == "1") {
        let (limited, overloaded) = (Duration::from_secs(30), Duration::from_secs(90));
        Times { retry_after: 7, limited, overloaded, breaker: "10" }
    } else {
        let (limited, overloaded) = (Duration::from_secs(5), Duration::from_secs(15));
        Times { retry_after: 3, limited, overloaded, breaker: "2" }
    }
}

/// By the database's clock, which is that of this machine.
async fn now(hive: &TestHive) -> chrono::DateTime<chrono::Utc> {
    sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&hive.pool).await.unwrap()
}

fn striking(fault: &Value) -> hive_double::Script {
    rules(json!([
        { "name": "struck", "when": { "model": OWN }, "fault": fault },
        { "name": "well", "say": "Done." },
    ]))
}

async fn agent(hive: &TestHive, name: &str, stand_ins: Value) -> Uuid {
    let body = json!({ "name": name, "type": name, "model": OWN, "fallback_models": stand_ins,
                       "system_prompt": "You work." });
    let (status, agent) = hive.post("/api/v1/agents", &body).await;
    assert_eq!(status, 201, "{agent:#}");
    agent["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn tasks_ride_out_an_outage() {
    let times = times();
    let limit = json!({ "status": 429, "retry_after": times.retry_after });
    let hive = TestHive::builder()
        .script(striking(&limit))
        .workers(3)
        .slots(8)
        .worker_env("HIVE_BREAKER_SECONDS", times.breaker)
        .worker_env("HIVE_CLAUDE_PARK_SECONDS", times.breaker)
        .start()
        .await;
    let (waits, falls) =
        (agent(&hive, "waits", json!([])).await, agent(&hive, "falls", json!([STANDS_IN])).await);
    let tasks: Vec<Value> = (0..TASKS)
        .map(|n| json!({ "title": format!("Task {n}"), "agent_id": if n % 2 == 0 { waits } else { falls } }))
        .collect();
    let (status, answer) = hive.post("/api/v1/tasks/bulk", &json!({ "tasks": tasks })).await;
    assert!(status < 300, "{answer:#}");
    // The clock of the provider, not of what is looked at.
    tokio::time::sleep(times.limited).await;
    hive.double.set_script(Some(striking(&json!(529))));
    let overloaded_at = now(&hive).await;
    let opened = async || {
        let query =
            "SELECT created_at FROM provider_events WHERE kind = 'breaker_opened' ORDER BY id LIMIT 1";
        sqlx::query_scalar(query).fetch_optional(&hive.pool).await.unwrap()
    };
    let opened_at: chrono::DateTime<chrono::Utc> =
        within(Duration::from_secs(60), "the breaker opens", opened).await;
    let fallen = async || (hive.tasks_in("succeeded").await >= TASKS / 2).then_some(());
    within(Duration::from_secs(60), "tasks with a policy go on during the outage", fallen).await;
    let waiting = async || {
        let why: Option<Uuid> = sqlx::query_scalar(
            "SELECT id FROM tasks WHERE status = 'waiting' AND status_detail LIKE 'the breaker of model%' LIMIT 1",
        )
        .fetch_optional(&hive.pool)
        .await
        .unwrap();
        let why = hive.get(&format!("/api/v1/tasks/{}/why", why?)).await;
        (why["cause"] == "breaker_open").then_some(why)
    };
    let why = within(Duration::from_secs(30), "why names the breaker", waiting).await;
    assert!(why["until"].is_string() && why["explanation"].as_str().unwrap().contains(OWN), "{why:#}");
    let since = (now(&hive).await - overloaded_at).to_std().unwrap_or_default();
    tokio::time::sleep(times.overloaded.saturating_sub(since)).await;
    let well_at = now(&hive).await;
    hive.double.set_script(Some(rules(json!([{ "name": "well", "say": "Done." }]))));
    let done = async || (hive.tasks_in("succeeded").await == TASKS).then_some(());
    within(Duration::from_secs(180), "all succeed", done).await;

    let burnt = "SELECT count(*) FROM tasks WHERE attempt <> 1 AND id <> $1";
    assert_eq!(hive.count(burnt, Uuid::nil()).await, 0, "no attempt was burnt");
    let changes: Vec<(String, String)> =
        sqlx::query_as("SELECT kind, model FROM provider_events ORDER BY id")
            .fetch_all(&hive.pool)
            .await
            .unwrap();
    let once = |kind: &str| (kind.to_owned(), OWN.to_owned());
    assert_eq!(changes, [once("breaker_opened"), once("breaker_closed")]);
    let query = "SELECT t.assigned_agent_id, s.body->>'model', s.body->>'requested_model' FROM steps s \
                 JOIN tasks t ON t.id = s.task_id WHERE s.kind = 'reply'";
    let replies = sqlx::query(query).fetch_all(&hive.pool).await.unwrap();
    assert_eq!(replies.len(), TASKS);
    let mut stood_in = 0;
    for reply in replies {
        let (agent, model, wished): (Uuid, String, Option<String>) =
            (reply.get(0), reply.get(1), reply.get(2));
        match wished {
            Some(wished) => {
                assert_eq!((agent, model.as_str(), wished.as_str()), (falls, STANDS_IN, OWN));
                stood_in += 1;
            }
            None => assert_eq!(model, OWN, "without a stand-in its own model answered"),
        }
    }
    assert_eq!(stood_in, TASKS / 2, "each of those with a policy");

    let asked: Vec<_> =
        hive.double.requests().iter().filter(|kept| kept.body["model"] == OWN).map(|kept| kept.at).collect();
    // After each answer with retry-after, for that long: only what was on its way.
    let held = asked.iter().filter(|at| **at < overloaded_at).min().copied().unwrap();
    let until = held + TimeDelta::seconds(i64::try_from(times.retry_after).unwrap());
    let early: Vec<_> =
        asked.iter().filter(|at| **at > held + TimeDelta::seconds(1) && **at < until).collect();
    assert!(early.is_empty(), "held at {held} until {until}, called at {early:?}");
    // Open, the breaker lets one call try at a time, however many wait.
    let settled = opened_at + TimeDelta::seconds(1);
    let during = asked.iter().filter(|at| **at > settled && **at < well_at).count();
    println!("{during} calls of {} tasks while the breaker was open", TASKS / 2);
    let sent = hive.double.requests().iter().filter(|kept| kept.at > settled).count();
    let needed: i64 =
        sqlx::query_scalar("SELECT count(*) FROM llm_calls WHERE state = 'answered' AND created_at > $1")
            .bind(settled)
            .fetch_one(&hive.pool)
            .await
            .unwrap();
    println!(
        "{sent} calls for {needed} replies since the breaker opened: {:.3}",
        sent as f64 / needed as f64
    );
    assert!(sent as f64 <= 1.1 * needed as f64, "{sent} calls for {needed} replies since the breaker opened");
    assert!(
        during as f64 <= 1.0 + (well_at - opened_at).as_seconds_f64() / times.breaker.parse::<f64>().unwrap()
    );
}

#[tokio::test]
async fn a_fifth_of_faults_costs_less_than_a_third_more_calls() {
    let script = rules(json!([{ "name": "well", "say": "Done." }]));
    let hive = TestHive::builder()
        .script(script)
        .workers(2)
        .slots(8)
        .worker_env("HIVE_CLAUDE_PARK_SECONDS", "3")
        .start()
        .await;
    let storm = json!({ "seed": 11, "rate": 0.2, "kinds": [529, 500, "cut"] }).to_string();
    hive.double.set_faults(Some(hive_double::Storm::parse(&storm).unwrap()));
    let count = 200;
    let tasks: Vec<Value> = (0..count).map(|n| json!({ "title": format!("Task {n}") })).collect();
    let (status, answer) = hive.post("/api/v1/tasks/bulk", &json!({ "tasks": tasks })).await;
    assert!(status < 300, "{answer:#}");
    let done = async || (hive.tasks_in("succeeded").await == count).then_some(());
    within(Duration::from_secs(300), "all succeed", done).await;
    let sent = hive.double.requests().len();
    println!("{sent} calls for {count} replies");
    assert!(sent as f64 <= 1.3 * count as f64, "{sent} calls for {count} replies");
}

#[tokio::test]
async fn a_model_that_is_gone_is_stood_in_for_and_not_asked_again() {
    let script = rules(json!([
        { "name": "gone", "when": { "model": OWN }, "fault": 404 },
        { "name": "look", "when": { "turn": 0 }, "thinking": "Only this model may read it.", "tools": [{ "name": "wait", "input": { "seconds": 1 } }] },
        { "name": "well", "say": "Done." },
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let falls = agent(&hive, "falls", json!([STANDS_IN])).await;
    let id = hive.post_task(json!({ "title": "Gone", "agent_id": falls })).await;
    let task = hive.wait_succeeded(id, 60).await;
    assert_eq!(task["attempt"], 1, "{task:#}");
    let models: Vec<Value> = hive.double.requests().iter().map(|kept| kept.body["model"].clone()).collect();
    assert!(models.iter().filter(|model| **model == STANDS_IN).count() >= 2, "{models:?}");
}
