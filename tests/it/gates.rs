//! What keeps a ready task from running, and what lets it go: pauses, isolation, age, deadlines, a Redis that is away.

use std::time::Duration;

use chrono::{DateTime, Utc};
use hive_tests::{TestHive, answer, finish, rules, say, shell, within};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

async fn post(hive: &TestHive, path: &str, body: Value) {
    let answer = hive.send(0, Method::POST, path, Some(&body)).await;
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
}

async fn cause(hive: &TestHive, id: Uuid) -> Value {
    hive.get(&format!("/api/v1/tasks/{id}/why")).await["cause"].clone()
}

/// Kills the worker that holds the task, and waits until the lease was taken back.
async fn kill_holder(hive: &mut TestHive, id: Uuid) {
    let holder = "SELECT worker FROM tasks WHERE id = $1 AND status = 'running'";
    let pool = hive.pool.clone();
    let worker = within(Duration::from_secs(30), "the task runs", async || {
        sqlx::query_scalar::<_, String>(holder).bind(id).fetch_optional(&pool).await.unwrap()
    })
    .await;
    let pid: u32 = worker.rsplit('-').next().unwrap().parse().unwrap();
    hive.workers.iter_mut().find(|worker| worker.pid() == pid).unwrap().kill9();
    within(Duration::from_secs(30), "the task is taken back", async || {
        let held = sqlx::query_scalar::<_, String>(holder).bind(id).fetch_optional(&pool).await.unwrap();
        (held.as_ref() != Some(&worker)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_pause_stops_runs_at_their_step_edge_and_outlives_every_process() {
    let turns = json!([
        answer("Long", 0, json!([shell("echo 1 > one")])),
        answer("Long", 1, json!([shell("echo 2 > two")])),
        answer("Long", 2, json!([finish("Both are there.")])),
        say("Short", 0, "Done."),
    ]);
    let latency = Duration::from_millis(700);
    let mut hive = TestHive::builder().script(rules(turns)).latency(latency).start().await;
    let repo = hive.repo("long", &[("README", "Long.\n")]);
    let long = hive.post_task(json!({ "title": "Long", "repository": repo.json() })).await;
    hive.wait_status(long, 20, "running").await;
    post(&hive, "/api/v1/queue/pause", json!({ "scope": "fleet", "reason": "an upgrade" })).await;
    let paused = hive.wait_status(long, 20, "ready").await;
    assert_eq!(paused["status_reason"], "paused", "{paused:#}");
    let (steps, calls) = (hive.step_count(long).await, hive.calls(long).len());
    assert!(steps >= 1, "the step that ran was finished");

    let short = hive.post_task(json!({ "title": "Short" })).await;
    hive.workers[0].kill9();
    hive.start_worker().await;
    assert_eq!((cause(&hive, long).await, cause(&hive, short).await), (json!("paused"), json!("paused")));
    // Two looks of the search without tickets, and a pass of the reconciler: nothing starts.
    let quiet = "SELECT (count(*) FILTER (WHERE seen_at > started_at + interval '4 s')) FROM workers WHERE $1::uuid IS NOT NULL";
    within(Duration::from_secs(30), "the new worker has looked around", async || {
        (hive.count(quiet, long).await > 0).then_some(())
    })
    .await;
    assert_eq!((hive.task(short).await["status"].clone(), hive.calls(long).len()), (json!("ready"), calls));

    post(&hive, "/api/v1/queue/resume", json!({ "scope": "fleet" })).await;
    hive.wait_succeeded(short, 20).await;
    hive.wait_succeeded(long, 30).await;
    assert_eq!(hive.calls(long).len(), 3, "no call was made twice");
    hive.assert_whole(long).await;
}

#[tokio::test]
async fn a_task_that_kills_workers_is_isolated_and_then_poison() {
    let hangs = json!({ "name": "hangs", "when": { "first_text": "Poison" }, "delay_ms": 60_000 });
    let script = rules(json!([hangs, say("Healthy", 0, "Fine.")]));
    let mut hive = TestHive::builder().script(script).start().await;
    let poison = hive.post_task(json!({ "title": "Poison", "max_attempts": 1 })).await;
    for deaths in 1..=2 {
        kill_holder(&mut hive, poison).await;
        let task = hive.wait_status(poison, 10, "ready").await;
        assert_eq!((&task["isolated"], &task["attempt"]), (&json!(deaths == 2), &json!(0)), "{task:#}");
        hive.start_worker().await;
    }
    assert_eq!(cause(&hive, poison).await, "no_isolated_worker");
    let healthy = hive.post_task(json!({ "title": "Healthy" })).await;
    hive.wait_succeeded(healthy, 20).await;

    hive.set_worker_env("HIVE_ISOLATED", "true");
    for _ in 0..2 {
        hive.start_worker().await;
        kill_holder(&mut hive, poison).await;
    }
    let task = hive.wait_end(poison, 10).await;
    assert_eq!((&task["status"], &task["status_reason"]), (&json!("dead"), &json!("poison")), "{task:#}");
    let listed = hive.get("/api/v1/tasks?status=dead").await;
    assert_eq!(listed["items"][0]["id"], poison.to_string());
    hive.assert_whole(poison).await;
}

#[tokio::test]
async fn an_isolated_worker_finishes_what_only_looked_like_poison() {
    let hangs =
        json!({ "name": "hangs", "when": { "first_text": "Suspect" }, "delay_ms": 60_000, "times": 2 });
    let mut hive =
        TestHive::builder().script(rules(json!([hangs, say("Suspect", 0, "Innocent.")]))).start().await;
    let suspect = hive.post_task(json!({ "title": "Suspect" })).await;
    for death in 1..=2 {
        // Only once the call is made: the double hangs for two of them.
        within(Duration::from_secs(30), "the call hangs", async || {
            (hive.double.requests().len() == death).then_some(())
        })
        .await;
        kill_holder(&mut hive, suspect).await;
        hive.start_worker().await;
    }
    hive.set_worker_env("HIVE_ISOLATED", "true");
    hive.start_worker().await;
    hive.wait_succeeded(suspect, 20).await;
    hive.assert_whole(suspect).await;
}

#[tokio::test]
async fn the_urgent_goes_next_and_the_old_does_not_starve() {
    let script = rules(json!([say("Any", 0, "Done.")]));
    let builder = TestHive::builder().script(script).slots(1).latency(Duration::from_millis(60));
    let hive = builder.scheduler_env("HIVE_AGEING_SECONDS", "5").start().await;
    let low = async |count: usize| {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(hive.post_task(json!({ "title": "Any", "priority": 9 })).await);
        }
        ids
    };
    post(&hive, "/api/v1/queue/pause", json!({ "scope": "fleet" })).await;
    let backlog = low(300).await;
    post(&hive, "/api/v1/queue/resume", json!({ "scope": "fleet" })).await;
    hive.wait_succeeded(backlog[0], 20).await;
    let urgent = hive.post_task(json!({ "title": "Any", "priority": 1 })).await;
    hive.wait_succeeded(urgent, 20).await;
    let between = "SELECT count(*) FROM tasks l JOIN tasks u ON u.id = $1
                   WHERE l.priority = 9 AND l.started_at BETWEEN u.created_at AND u.started_at";
    // One may have been taken by then, and one more while the ticket was on its way.
    assert!(hive.count(between, urgent).await <= 2, "the urgent one went next");

    let rest = json!({ "action": "cancel", "filter": { "status": ["ready"] } });
    post(&hive, "/api/v1/tasks/actions", rest).await;
    hive.wait_end(*backlog.last().unwrap(), 20).await;

    // Without end urgent work: the one that waits starts within the limit and a moment.
    let waits = low(1).await[0];
    let started = async || !hive.task(waits).await["started_at"].is_null();
    let begun: DateTime<Utc> = hive.task(waits).await["created_at"].as_str().unwrap().parse().unwrap();
    within(Duration::from_secs(60), "the old one starts", async || {
        // Always more urgent work than the one slot can take.
        let urgent =
            "SELECT count(*) FROM tasks WHERE status = 'ready' AND priority = 1 AND $1::uuid IS NOT NULL";
        while hive.count(urgent, waits).await < 20 {
            hive.post_task(json!({ "title": "Any", "priority": 1 })).await;
        }
        started().await.then_some(())
    })
    .await;
    let start: DateTime<Utc> = hive.task(waits).await["started_at"].as_str().unwrap().parse().unwrap();
    assert!(
        (start - begun).num_seconds() < 30,
        "it started {} s after its POST",
        (start - begun).num_seconds()
    );
    post(&hive, "/api/v1/queue/pause", json!({ "scope": "fleet" })).await;
    let running = "SELECT count(*) FROM tasks WHERE status = 'running' AND $1::uuid IS NOT NULL";
    within(Duration::from_secs(20), "the last one that ran has ended", async || {
        (hive.count(running, waits).await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_deadline_ends_a_run_and_its_commands() {
    let script = rules(json!([answer("Late", 0, json!([shell("sleep 300")]))]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("late", &[("README", "Late.\n")]);
    #[expect(clippy::disallowed_methods, reason = "a client names a time by its own clock")]
    let deadline = Utc::now() + chrono::Duration::seconds(4);
    let body = json!({ "title": "Late", "repository": repo.json(), "deadline": deadline.to_rfc3339() });
    let id = hive.post_task(body).await;
    hive.wait_steps(id, 20, 1).await;
    let task = hive.wait_end(id, 30).await;
    assert_eq!((&task["status"], &task["status_reason"]), (&json!("failed"), &json!("deadline")), "{task:#}");
    let worker = hive.workers[0].url().to_owned();
    within(Duration::from_secs(15), "the worker lets go", async || {
        hive.page(&worker, "/metrics").await.contains("hive_leases_lost_total 1").then_some(())
    })
    .await;
    assert_eq!(hive.calls(id).len(), 1, "no further call is made");
    hive.assert_whole(id).await;
}

#[tokio::test]
async fn work_goes_on_while_redis_is_away() {
    let mut hive = TestHive::builder()
        .script(rules(json!([say("Any", 0, "Done.")])))
        .workers(2)
        .own_redis()
        .start()
        .await;
    hive.kill_redis();
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(hive.post_task(json!({ "title": "Any" })).await);
    }
    for id in &ids {
        hive.wait_succeeded(*id, 60).await;
        assert_eq!(hive.calls(*id).len(), 1);
    }
    let worker = hive.workers[0].url().to_owned();
    assert!(hive.page(&worker, "/metrics").await.contains("hive_polled_claims_total"));
    hive.start_redis();
    hive.all_ready().await;
}
