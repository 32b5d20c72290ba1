//! When a task may run: after its time, after its dependencies, and once per ticket.

use std::time::Duration;

use chrono::{DateTime, Utc};
use hive_tests::{TestHive, rules, say, within};
use serde_json::{Value, json};

#[tokio::test]
async fn dependencies_come_first_and_their_end_decides() {
    let script = rules(json!([
        { "name": "declined", "when": { "first_text": "Broken" }, "say": "No.", "stop_reason": "refusal" },
        say("First", 0, "One."),
        say("Second", 0, "Two."),
        say("After", 0, "Three."),
    ]));
    let hive = TestHive::builder().script(script).latency(Duration::from_millis(300)).start().await;
    let first = hive.post_task(json!({ "title": "First" })).await;
    let broken = hive.post_task(json!({ "title": "Broken" })).await;
    let second = hive.post_task(json!({ "title": "Second", "dependencies": [first] })).await;
    let mut after = Vec::new();
    for (policy, status, reason) in [
        ("fail", "failed", json!("dependency_failed")),
        ("skip", "cancelled", json!("dependency_skipped")),
        ("continue", "succeeded", Value::Null),
    ] {
        let body =
            json!({ "title": "After", "dependencies": [second, broken], "on_dependency_failure": policy });
        after.push((hive.post_task(body).await, status, reason));
    }
    assert_eq!(hive.task(second).await["status_reason"], "dependencies");
    hive.wait_succeeded(second, 20).await;
    let overlap = "SELECT count(*) FROM tasks a JOIN task_dependencies d ON d.task_id = a.id \
                   JOIN tasks b ON b.id = d.depends_on WHERE a.id = $1 AND a.started_at < b.completed_at";
    assert_eq!(hive.count(overlap, second).await, 0, "the second began after the first had ended");
    for (id, status, reason) in after {
        let task = hive.wait_end(id, 20).await;
        assert_eq!((&task["status"], &task["status_reason"]), (&json!(status), &reason), "{task:#}");
        assert_eq!(hive.calls(id).len(), usize::from(status == "succeeded"));
        assert_eq!(hive.count(overlap, id).await, 0);
        hive.assert_whole(id).await;
    }
}

#[tokio::test]
async fn a_task_with_a_time_starts_then_and_a_late_ticket_starts_nothing() {
    let hive = TestHive::builder().script(rules(json!([say("Later", 0, "Now.")]))).start().await;
    #[expect(clippy::disallowed_methods, reason = "a client names a time by its own clock")]
    let run_at = Utc::now() + chrono::Duration::seconds(3);
    let later = hive.post_task(json!({ "title": "Later", "run_at": run_at.to_rfc3339() })).await;
    let task = hive.task(later).await;
    assert_eq!((&task["status"], &task["status_reason"]), (&json!("pending"), &json!("scheduled")));
    // A ticket that comes too early finds nothing to claim.
    hive.push_ticket(later, 0).await;
    let task = hive.wait_succeeded(later, 20).await;
    let started: DateTime<Utc> = task["started_at"].as_str().unwrap().parse().unwrap();
    let late = (started - run_at).num_milliseconds();
    assert!((0..5_000).contains(&late), "it started {late} ms after its time");

    // Nor does one that comes again, or one of the epoch that is over.
    let before = hive.rows(later).await;
    hive.push_ticket(later, 0).await;
    hive.push_ticket(later, 1).await;
    let worker = hive.workers[0].url().to_owned();
    let dropped =
        async || hive.page(&worker, "/metrics").await.contains("hive_tickets_stale_total 3").then_some(());
    within(Duration::from_secs(10), "three stale tickets are dropped", dropped).await;
    assert_eq!(hive.rows(later).await, before);
    assert_eq!(hive.calls(later).len(), 1);
    hive.assert_whole(later).await;
}
