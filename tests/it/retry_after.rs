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
