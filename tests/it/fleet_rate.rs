//! Four workers keep to one rate, and use it; what Redis counts is lost with it, and the rate is kept all the same.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hive_tests::{TestHive, rules, within};
use serde_json::{Value, json};

const BY_REQUESTS: &str = "claude-sonnet-5-5";
const BY_TOKENS: &str = "claude-haiku-5-5";

/// The most that any window of ten seconds holds, and how much of the whole was used, each as a share of the limit.
fn used(calls: &[(DateTime<Utc>, u64)], per_minute: u64) -> (f64, f64) {
    let window = TimeDelta::seconds(10);
    let most = calls.iter().enumerate().map(|(n, (first, _))| {
        calls[n..].iter().take_while(|(at, _)| *at < *first + window).map(|(_, cost)| cost).sum::<u64>()
    });
    let most = most.max().unwrap_or(0) as f64 / (per_minute as f64 / 6.0);
    let (first, last) = (calls[0].0, calls[calls.len() - 1].0);
    let seconds = (last - first).as_seconds_f64();
    let sum: u64 = calls[..calls.len() - 1].iter().map(|(_, cost)| cost).sum();
    (most, sum as f64 * 60.0 / (per_minute as f64 * seconds))
}

/// Each call's time and cost, in order; the last ones, when little is left to do, are left out.
fn calls(hive: &TestHive, model: &str, cost: u64) -> Vec<(DateTime<Utc>, u64)> {
    let kept = hive.double.requests();
    let mut calls: Vec<_> =
        kept.iter().filter(|kept| kept.body["model"] == model).map(|kept| (kept.at, cost)).collect();
    calls.sort_unstable();
    calls.truncate(calls.len() * 9 / 10);
    calls
}

async fn work(hive: &TestHive, each: usize) {
    let mut tasks: Vec<Value> = Vec::new();
    for number in 0..each {
        for model in [BY_REQUESTS, BY_TOKENS] {
            tasks.push(json!({ "title": format!("{model} {number}"), "model": model }));
        }
    }
    let (status, answer) = hive.post("/api/v1/tasks/bulk", &json!({ "tasks": tasks })).await;
    assert!(status < 300, "{answer:#}");
    let done = async || (hive.tasks_in("succeeded").await == 2 * each).then_some(());
    within(Duration::from_secs(240), "all tasks succeed", done).await;
}

/// A third of the tokens that a worker expects of its first calls by their bytes, as when most of a request is cached.
fn script() -> hive_double::Script {
    let usage = json!({ "input_tokens": 500, "output_tokens": 20, "cache_creation_input_tokens": 0,
                        "cache_read_input_tokens": 0 });
    rules(json!([{ "name": "well", "say": "Done.", "usage": usage }]))
}

#[tokio::test]
async fn four_workers_keep_to_one_rate_and_use_it() {
    let hive = TestHive::builder()
        .script(script())
        .workers(4)
        .slots(24)
        .worker_env("HIVE_CLAUDE_LIMITS", &format!("{BY_REQUESTS}=600/0/0,{BY_TOKENS}=0/300000/0"))
        .start()
        .await;
    work(&hive, 300).await;
    for (model, cost, limit) in [(BY_REQUESTS, 1, 600), (BY_TOKENS, 500, 300_000)] {
        let (most, share) = used(&calls(&hive, model, cost), limit);
        println!("{model}: at most {most:.3} of the limit in 10 s, {share:.3} of it used");
        assert!(most <= 1.05, "{model}: {most:.3} of the limit in a window of 10 s");
        assert!(share >= 0.85, "{model}: {share:.3} of the limit used");
    }
    assert_eq!(hive.tasks_in("dead").await + hive.tasks_in("failed").await, 0);
    let burnt = "SELECT count(*) FROM tasks WHERE attempt > 1 AND id <> $1";
    assert_eq!(hive.count(burnt, uuid::Uuid::nil()).await, 0, "a wait for the rate is no attempt");
}

#[tokio::test]
async fn without_redis_each_worker_keeps_to_its_share() {
    let mut hive = TestHive::builder()
        .script(script())
        .workers(3)
        .slots(16)
        .own_redis()
        .worker_env("HIVE_CLAUDE_LIMITS", &format!("{BY_REQUESTS}=600/0/0,{BY_TOKENS}=0/300000/0"))
        .start()
        .await;
    hive.kill_redis();
    work(&hive, 150).await;
    for (model, cost, limit) in [(BY_REQUESTS, 1, 600), (BY_TOKENS, 500, 300_000)] {
        let (most, share) = used(&calls(&hive, model, cost), limit);
        println!("without Redis, {model}: at most {most:.3} of the limit in 10 s, {share:.3} of it used");
        assert!(most <= 1.2, "{model}: {most:.3} of the limit in a window of 10 s");
    }
}
