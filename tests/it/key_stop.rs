//! A key that the provider refuses is stopped for all workers; tasks wait for a person and lose nothing.

use std::time::Duration;

use hive_tests::{TestHive, rules, within};
use serde_json::{Value, json};
use uuid::Uuid;

fn refusing(status: u16) -> hive_double::Script {
    rules(json!([{ "name": "refused", "fault": status }]))
}

fn well() -> hive_double::Script {
    rules(json!([{ "name": "well", "say": "Done." }]))
}

async fn post(hive: &TestHive, count: usize, title: &str) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(hive.post_task(json!({ "title": format!("{title} {number}") })).await);
    }
    ids
}

#[tokio::test]
async fn a_refused_key_stops_the_fleet_until_a_person_resumes_it() {
    for status in [401, 402, 403] {
        let hive = TestHive::builder().script(refusing(status)).workers(3).start().await;
        let ids = post(&hive, 12, "Refused").await;
        let parked = async || (hive.tasks_in("waiting").await == 12).then_some(());
        within(Duration::from_secs(60), "all are parked", parked).await;
        let asked = hive.double.requests().len();
        assert!(asked <= 12, "{status}: {asked} requests, so some task asked again");
        let first = hive.double.requests()[0].at;
        let stopped: chrono::DateTime<chrono::Utc> =
            sqlx::query_scalar("SELECT stopped_at FROM provider_keys").fetch_one(&hive.pool).await.unwrap();
        let offsets: Vec<_> =
            hive.double.requests().iter().map(|kept| (kept.at - first).num_milliseconds()).collect();
        println!(
            "{status}: stopped after {} ms, called at {offsets:?}",
            (stopped - first).num_milliseconds()
        );
        let late = hive
            .double
            .requests()
            .iter()
            .filter(|kept| kept.at - stopped > chrono::TimeDelta::seconds(2))
            .count();
        assert_eq!(late, 0, "{status}: calls 2 s after the key was stopped");
        for worker in &hive.workers {
            let knows = async || {
                let metrics = hive.page(worker.url(), "/metrics").await;
                metrics.lines().any(|line| line == "hive_key_stopped 1").then_some(())
            };
            within(Duration::from_secs(3), "each worker knows", knows).await;
        }
        let later = post(&hive, 6, "Later").await;
        let parked = async || (hive.tasks_in("waiting").await == 18).then_some(());
        within(Duration::from_secs(60), "later ones are parked", parked).await;
        assert_eq!(hive.double.requests().len(), asked, "{status}: nobody asks with a stopped key");

        let why = hive.get(&format!("/api/v1/tasks/{}/why", later[0])).await;
        assert_eq!(why["cause"], "key_stopped", "{why:#}");
        assert!(why["until"].is_string() && why["clears"].as_str().unwrap().contains("hive provider resume"));
        let shown = hive.says_json(&["provider", "show"]).await;
        let stop = &shown["stopped_keys"][0];
        let expected = ["authentication", "billing", "permission"][usize::from(status - 401)];
        assert_eq!(stop["reason"], expected, "{shown:#}");
        assert!(!shown.to_string().contains(hive.claude_key()), "{shown:#}");
        let (code, problem) = hive.post("/api/v1/provider/resume", &json!({ "key": "no such key" })).await;
        assert_eq!((code, &problem["code"]), (404, &json!("not_stopped")), "{problem:#}");
        let metrics = hive.page(hive.workers[0].url(), "/metrics").await;
        assert!(metrics.lines().any(|line| line == "hive_key_stopped 1"), "{metrics}");

        hive.double.set_script(Some(well()));
        hive.says(&["provider", "resume"]).await;
        for id in ids.into_iter().chain(later) {
            let task = hive.wait_succeeded(id, 60).await;
            assert_eq!(task["attempt"], 1, "{task:#}");
        }
        let kinds: Vec<String> = sqlx::query_scalar("SELECT kind FROM provider_events ORDER BY id")
            .fetch_all(&hive.pool)
            .await
            .unwrap();
        assert_eq!(kinds, ["key_stopped", "key_resumed"], "{status}: one stop, one release");
    }
}

#[tokio::test]
async fn one_call_tries_a_stopped_key_and_gives_it_back() {
    let script = refusing(401);
    let hive =
        TestHive::builder().script(script).workers(2).worker_env("HIVE_KEY_PROBE_SECONDS", "3").start().await;
    let ids = post(&hive, 6, "Tried").await;
    let tried = async || {
        let first = hive.double.requests().first()?.at;
        let tries: Vec<_> = hive
            .double
            .requests()
            .iter()
            .map(|k| k.at)
            .filter(|at| *at - first > chrono::TimeDelta::seconds(2))
            .collect();
        (tries.len() >= 2).then_some(tries)
    };
    let tries = within(Duration::from_secs(60), "two tries", tried).await;
    for pair in tries.windows(2) {
        assert!(pair[1] - pair[0] >= chrono::TimeDelta::milliseconds(2_900), "{tries:?}");
    }
    hive.double.set_script(Some(well()));
    for id in ids {
        hive.wait_succeeded(id, 60).await;
    }
}

#[tokio::test]
async fn a_request_that_is_always_refused_stops_the_others_no_more_than_twice() {
    let script = rules(json!([
        { "name": "refused", "when": { "first_text": "Forbidden" }, "fault": 403 },
        { "name": "well", "say": "Done." },
    ]));
    let hive = TestHive::builder().script(script).worker_env("HIVE_KEY_PROBE_SECONDS", "1").start().await;
    let forbidden = hive.post_task(json!({ "title": "Forbidden" })).await;
    let mut others = post(&hive, 4, "Allowed").await;
    let ended = async || {
        // Somebody always has something to ask, as in a fleet at work.
        if hive.tasks_in("waiting").await <= 1 {
            others.extend(post(&hive, 1, "Allowed too").await);
        }
        let task = hive.get(&format!("/api/v1/tasks/{forbidden}")).await;
        (task["status"] == "failed").then_some(task)
    };
    let task = within(Duration::from_secs(90), "the request that is refused ends its task", ended).await;
    assert_eq!(task["status_reason"], "permission", "{task:#}");
    for id in others {
        hive.wait_succeeded(id, 60).await;
    }
    let stops: i64 = sqlx::query_scalar("SELECT count(*) FROM provider_events WHERE kind = 'key_stopped'")
        .fetch_one(&hive.pool)
        .await
        .unwrap();
    assert!((1..=2).contains(&stops), "{stops} stops");
}

#[tokio::test]
async fn workers_with_another_key_take_up_what_waited() {
    let mut hive = TestHive::builder().script(refusing(401)).start().await;
    let ids = post(&hive, 3, "Waiting").await;
    let parked = async || (hive.tasks_in("waiting").await == 3).then_some(());
    within(Duration::from_secs(60), "all are parked", parked).await;
    hive.double.set_script(Some(well()));
    // A key has a state of its own, and so has an address: the same double, under its other name.
    let other = hive.double.url().replace("127.0.0.1", "localhost");
    hive.set_worker_env("ANTHROPIC_BASE_URL", &other);
    hive.workers[0].ask_to_end();
    hive.workers[0].ends(Duration::from_secs(30)).await;
    hive.start_worker().await;
    for id in ids {
        let task: Value = hive.wait_succeeded(id, 60).await;
        assert_eq!(task["attempt"], 1, "{task:#}");
    }
}

#[tokio::test]
async fn a_try_that_is_answered_with_another_error_gives_the_key_back() {
    let script = refusing(401);
    let hive = TestHive::builder().script(script).worker_env("HIVE_KEY_PROBE_SECONDS", "3").start().await;
    let id = post(&hive, 1, "Tried").await[0];
    hive.wait_status(id, 30, "waiting").await;
    let stopped = async || {
        let query = "SELECT count(*) FROM provider_keys WHERE stopped_at IS NOT NULL";
        sqlx::query_scalar::<_, i64>(query).fetch_one(&hive.pool).await.unwrap()
    };
    assert_eq!(stopped().await, 1);
    hive.double.set_script(Some(refusing(400)));
    let task = hive.wait_end(id, 60).await;
    assert_eq!(task["status_reason"], "invalid_request", "{task:#}");
    within(Duration::from_secs(10), "the key is good", async || (stopped().await == 0).then_some(())).await;
}

#[tokio::test]
async fn a_model_that_the_key_may_not_use_stops_no_other_model() {
    let message = "Your organization does not have access to model claude-opus-5-5.";
    let script = rules(json!([
        { "name": "barred", "when": { "model": "claude-opus-5-5" }, "fault": { "status": 403, "message": message } },
        { "name": "well", "say": "Done." },
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let barred = hive.post_task(json!({ "title": "Barred", "model": "claude-opus-5-5" })).await;
    let task = hive.wait_end(barred, 30).await;
    assert_eq!(
        (&task["status"], &task["status_reason"]),
        (&json!("failed"), &json!("permission")),
        "{task:#}"
    );
    let other = hive.post_task(json!({ "title": "Other" })).await;
    hive.wait_succeeded(other, 30).await;
}

#[tokio::test]
async fn the_list_of_models_is_not_asked_for_with_a_stopped_key() {
    let hive = TestHive::builder().script(refusing(401)).start().await;
    let id = post(&hive, 1, "Refused").await[0];
    hive.wait_status(id, 30, "waiting").await;
    let listed = "The service listed its models";
    let told = || hive.workers[0].log_text().matches(listed).count();
    let before = told();
    let (_, answer) = hive.post("/api/v1/models/refresh", &json!({})).await;
    let refused = async || {
        let error: Option<String> =
            sqlx::query_scalar("SELECT error FROM model_refresh").fetch_one(&hive.pool).await.unwrap();
        error.filter(|error| error.contains("is stopped"))
    };
    within(Duration::from_secs(90), &format!("it is told why: {answer}"), refused).await;
    assert_eq!(told(), before);
}
