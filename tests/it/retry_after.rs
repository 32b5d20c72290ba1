//! What the provider says about the time to come back holds for every worker, with Redis and without.

use std::time::Duration;

use chrono::TimeDelta;
use hive_tests::{TestHive, rules, within};
use serde_json::{Value, json};

const SECONDS: i64 = 5;
/// Calls that were on their way when the answer came.
const ON_THE_WAY: TimeDelta = TimeDelta::milliseconds(700);

async fn nobody_calls_before(hive: &TestHive) {
    let first = hive.post_task(json!({ "title": "First" })).await;
    hive.wait_asked(first, 30, 1).await;
    let limited_at = hive.double.requests()[0].at;
    let tasks: Vec<Value> = (0..12).map(|n| json!({ "title": format!("Behind {n}") })).collect();
    let (status, answer) = hive.post("/api/v1/tasks/bulk", &json!({ "tasks": tasks })).await;
    assert!(status < 300, "{answer:#}");
    let done = async || (hive.tasks_in("succeeded").await == 13).then_some(());
    within(Duration::from_secs(120), "all succeed", done).await;
    let until = limited_at + TimeDelta::seconds(SECONDS);
    let early: Vec<_> = hive
        .double
        .requests()
        .into_iter()
        .filter(|kept| kept.at > limited_at + ON_THE_WAY && kept.at < until)
        .map(|kept| kept.at)
        .collect();
    assert!(early.is_empty(), "limited at {limited_at} until {until}, and called at {early:?}");
    assert_eq!(hive.double.requests().len(), 14, "one call was refused, and each task asked once more");
    let burnt = "SELECT count(*) FROM tasks WHERE attempt > 1 AND id <> $1";
    assert_eq!(hive.count(burnt, uuid::Uuid::nil()).await, 0);
}

fn script() -> hive_double::Script {
    rules(json!([
        { "name": "limited", "times": 1, "fault": { "status": 429, "retry_after": SECONDS } },
        { "name": "well", "say": "Done." },
    ]))
}

#[tokio::test]
async fn no_worker_calls_before_retry_after_has_passed() {
    let hive = TestHive::builder().script(script()).workers(3).start().await;
    nobody_calls_before(&hive).await;
}

#[tokio::test]
async fn nor_without_redis() {
    let mut hive = TestHive::builder().script(script()).workers(3).own_redis().start().await;
    hive.kill_redis();
    nobody_calls_before(&hive).await;
}

/// When the tasks' calls reached the double, with the task of each.
fn calls(hive: &TestHive) -> Vec<(chrono::DateTime<chrono::Utc>, Option<String>)> {
    hive.double.requests().into_iter().map(|kept| (kept.at, kept.user_id)).collect()
}

#[tokio::test]
async fn nor_does_a_call_that_waited_for_its_place_meanwhile() {
    let limited = json!({ "name": "limited", "times": 1, "delay_ms": 900,
                          "fault": { "status": 429, "retry_after": SECONDS } });
    let hive = TestHive::builder()
        .script(rules(json!([limited, { "name": "well", "say": "Done." }])))
        .worker_env("HIVE_CLAUDE_LIMITS", "claude-sonnet-5-5=40/0/0")
        .start()
        .await;
    let first = hive.post_task(json!({ "title": "First" })).await;
    hive.wait_asked(first, 30, 1).await;
    let asked_at = hive.double.requests()[0].at;
    // Its place lies 1.3 s after the first one's, and the answer to that comes 0.4 s before.
    let second = hive.post_task(json!({ "title": "Second" })).await;
    for id in [first, second] {
        hive.wait_succeeded(id, 60).await;
    }
    let until = asked_at + TimeDelta::milliseconds(900) + TimeDelta::seconds(SECONDS);
    let early: Vec<_> = calls(&hive).into_iter().filter(|(at, _)| *at > asked_at && *at < until).collect();
    assert!(early.is_empty(), "asked at {asked_at}, held until {until}, and called at {early:?}");
}

#[tokio::test]
async fn a_person_lifts_a_hold() {
    let limited = json!({ "name": "limited", "times": 1, "fault": { "status": 429, "retry_after": 3_000 } });
    let hive = TestHive::builder()
        .script(rules(json!([limited, { "name": "well", "say": "Done." }])))
        .workers(2)
        .start()
        .await;
    let first = hive.post_task(json!({ "title": "First" })).await;
    hive.wait_status(first, 30, "waiting").await;
    let second = hive.post_task(json!({ "title": "Second" })).await;
    hive.wait_status(second, 30, "waiting").await;
    assert_eq!(calls(&hive).len(), 1);
    let lifted = hive.says_json(&["provider", "resume"]).await;
    assert_eq!(lifted["holds"].as_array().map(Vec::len), Some(1), "{lifted:#}");
    for id in [first, second] {
        hive.wait_succeeded(id, 60).await;
    }
}

#[tokio::test]
async fn a_provider_that_names_no_time_is_given_one_for_all() {
    let hive = TestHive::builder()
        .script(rules(json!([{ "name": "limited", "fault": 429 }])))
        .workers(2)
        .worker_env("HIVE_CLAUDE_RETRY_SECONDS", "0.02")
        .worker_env("HIVE_CLAUDE_PARK_SECONDS", "3")
        .worker_env("HIVE_REPEATS_PERCENT", "10000")
        .start()
        .await;
    let first = hive.post_task(json!({ "title": "First" })).await;
    hive.wait_status(first, 30, "waiting").await;
    let tries = calls(&hive).len();
    let others = hive.post_task(json!({ "title": "Second" })).await;
    let task = hive.wait_status(others, 30, "waiting").await;
    assert_eq!(task["status_reason"], "rate_limited", "{task:#}");
    let user = others.to_string();
    let grown = async || {
        let limits: i32 = sqlx::query_scalar("SELECT unnamed_limits FROM provider_models")
            .fetch_one(&hive.pool)
            .await
            .unwrap();
        (limits >= 3).then_some(())
    };
    within(Duration::from_secs(60), "the hold grows", grown).await;
    // Three holds of 3, 6 and 12 s, and whoever comes first after each asks as often as a question may.
    let asked = calls(&hive);
    assert!(asked.len() <= 6 * tries, "{} calls, {tries} at first", asked.len());
    hive.double.set_script(Some(rules(json!([{ "name": "well", "say": "Done." }]))));
    hive.says(&["provider", "resume"]).await;
    for id in [first, others] {
        hive.wait_succeeded(id, 60).await;
    }
    assert!(calls(&hive).iter().any(|(_, of)| of.as_deref() == Some(&user)));
}

#[tokio::test]
async fn a_question_that_is_refused_while_others_are_answered_holds_up_itself_alone() {
    let limited = json!({ "name": "limited", "when": { "first_text": "Unlucky" }, "fault": 429 });
    let hive = TestHive::builder()
        .script(rules(json!([limited, { "name": "well", "say": "Done." }])))
        .latency(Duration::from_millis(800))
        .slots(2)
        .worker_env("HIVE_CLAUDE_RETRY_SECONDS", "0.02")
        .worker_env("HIVE_CLAUDE_PARK_SECONDS", "300")
        .worker_env("HIVE_REPEATS_PERCENT", "10000")
        .start()
        .await;
    let unlucky = hive.post_task(json!({ "title": "Unlucky" })).await;
    hive.wait_asked(unlucky, 30, 1).await;
    let other = hive.post_task(json!({ "title": "Lucky" })).await;
    hive.wait_succeeded(other, 60).await;
    hive.wait_status(unlucky, 60, "waiting").await;
    let held: i64 = sqlx::query_scalar("SELECT count(*) FROM provider_models WHERE hold_until IS NOT NULL")
        .fetch_one(&hive.pool)
        .await
        .unwrap();
    assert_eq!(held, 0, "the model answers");
    let next = hive.post_task(json!({ "title": "Lucky" })).await;
    hive.wait_succeeded(next, 60).await;
}
