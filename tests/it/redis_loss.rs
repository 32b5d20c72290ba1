//! Redis may forget everything and stay away: it costs time, and no task.

use std::time::Duration;

use chrono::{DateTime, Utc};
use hive_tests::{TestHive, answer, finish, rules, say, within};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const QUEUED: usize = 200;
const RUNNING: usize = 20;
const DELAYED: usize = 10;
/// How long Redis is away.
const AWAY: Duration = Duration::from_secs(8);
/// When the delayed tasks are due: after Redis is back.
const DUE: i64 = 25;

#[tokio::test]
async fn a_lost_redis_loses_no_task() {
    let mut slow = answer("Running", 0, json!([{ "name": "list_files", "input": {} }]));
    slow["delay_ms"] = json!(6_000);
    let script =
        rules(json!([slow, answer("Running", 1, json!([finish("Ran.")])), say("Delayed", 0, "On time.")]));
    let mut hive = TestHive::builder().script(script).slots(RUNNING).own_redis().start().await;

    let mut running = Vec::new();
    for _ in 0..RUNNING {
        running.push(hive.post_task(json!({ "title": "Running", "priority": 1 })).await);
    }
    let all_run = async || (hive.tasks_in("running").await == RUNNING).then_some(());
    within(Duration::from_secs(20), "every place is taken", all_run).await;
    #[expect(clippy::disallowed_methods, reason = "a client names a time by its own clock")]
    let run_at = Utc::now() + chrono::Duration::seconds(DUE);
    let mut delayed = Vec::new();
    for _ in 0..DELAYED {
        delayed.push(
            hive.post_task(json!({ "title": "Delayed", "priority": 1, "run_at": run_at.to_rfc3339() })).await,
        );
    }
    let mut queued = Vec::new();
    for number in 0..QUEUED {
        queued.push(hive.post_task(json!({ "title": format!("Noop {number}"), "duty": "noop" })).await);
    }

    hive.flush_redis();
    hive.kill_redis();
    let lost = tokio::time::Instant::now();
    let (api, worker) = (hive.apis[0].url().to_owned(), hive.workers[0].url().to_owned());
    for base in [&api, &worker] {
        let degraded = async || {
            let (code, page) = hive.health(base).await;
            assert_eq!(code, 200, "without Redis work goes on: {page}");
            (page["status"] == "degraded" && page["reasons"].to_string().contains("redis is down"))
                .then_some(())
        };
        within(Duration::from_secs(6), "health says that Redis is away", degraded).await;
    }
    while lost.elapsed() < AWAY {
        queued.push(hive.post_task(json!({ "title": "Posted without Redis", "duty": "noop" })).await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    hive.start_redis();
    let back = tokio::time::Instant::now();

    for id in &queued {
        let task = hive.wait_succeeded(*id, 60).await;
        assert_eq!(task["run"], format!("{id}.1"), "ran once");
    }
    println!("queued tasks were done {:.1} s after Redis was back", back.elapsed().as_secs_f64());
    for id in &running {
        hive.wait_succeeded(*id, 30).await;
        assert_eq!(hive.calls(*id).len(), 2, "no call is repeated");
    }
    for id in &delayed {
        let task = hive.wait_succeeded(*id, 60).await;
        assert_eq!(hive.calls(*id).len(), 1);
        let started: DateTime<Utc> = task["started_at"].as_str().unwrap().parse().unwrap();
        let late = (started - run_at).num_milliseconds();
        assert!((0..5_000).contains(&late), "a delayed task started {late} ms after its time");
    }
    let all: Vec<&Uuid> = queued.iter().chain(&running).chain(&delayed).collect();
    for id in &all {
        hive.assert_whole(**id).await;
    }
    assert_eq!(hive.tasks_in("succeeded").await, all.len());
    let healthy = async || {
        let page: Value = hive.health(&api).await.1;
        (page["status"] == "ready").then_some(())
    };
    within(Duration::from_secs(6), "health says that all is well", healthy).await;
}

/// Tickets lead to what has a rate, and without Redis there are none.
#[tokio::test]
async fn what_has_a_rate_starts_without_redis_and_within_its_rate() {
    let mut hive = TestHive::builder().slots(4).own_redis().start().await;
    let rate = json!({ "kind": "key", "name": "slow", "max_running": 4,
                       "rate": { "max_starts": 2, "per_seconds": 3600 } });
    let answer = hive.send(0, Method::PUT, "/api/v1/limits", Some(&rate)).await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    hive.kill_redis();
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let task = json!({ "title": "Limited", "duty": "noop", "concurrency_key": "slow" });
        tasks.push(hive.post_task(task).await);
    }
    within(Duration::from_secs(20), "two start, and one waits for the rate", async || {
        let done = hive.tasks_in("succeeded").await;
        assert!(done <= 2, "the rate holds");
        (done == 2 && hive.tasks_in("waiting").await == 1).then_some(())
    })
    .await;
}
