//! Who waits holds no place.

use hive_tests::{TestHive, rules, say};
use serde_json::json;

#[tokio::test]
async fn parked_tasks_do_not_keep_a_new_one_from_starting() {
    /// Ten for each slot.
    const PARKED: usize = 20;
    let limited = json!({
        "name": "limited", "when": { "first_text": "Parked" }, "fault": { "status": 429, "retry_after": 30 },
    });
    let script = rules(json!([limited, say("Fresh", 0, "Done.")]));
    let hive = TestHive::builder().script(script).slots(2).start().await;
    let mut parked = Vec::new();
    for number in 0..PARKED {
        // A limit of one model holds all that ask it: the new one asks another.
        let task = json!({ "title": format!("Parked {number}"), "model": "claude-haiku-5-5" });
        parked.push(hive.post_task(task).await);
    }
    for id in &parked {
        let task = hive.wait_status(*id, 30, "waiting").await;
        assert_eq!((&task["status"], &task["status_reason"]), (&json!("waiting"), &json!("rate_limited")));
        assert_eq!(task["attempt"], 0, "a limit costs no attempt");
        let wait = "SELECT extract(epoch FROM run_at - updated_at)::bigint FROM tasks WHERE id = $1";
        assert!((25..=40).contains(&hive.count(wait, *id).await), "it comes back when the provider said");
    }
    let fresh = hive.post_task(json!({ "title": "Fresh" })).await;
    hive.wait_succeeded(fresh, 10).await;
    let late = "SELECT (extract(epoch FROM started_at - created_at) * 1000)::bigint FROM tasks WHERE id = $1";
    let late = hive.count(late, fresh).await;
    assert!(late < 1_000, "it started after {late} ms");
    for id in parked {
        hive.cancel(id).await;
    }
}

#[tokio::test]
async fn a_short_limit_is_waited_out_and_costs_nothing() {
    let limited = json!({ "name": "limited", "times": 1, "fault": { "status": 429, "retry_after": 1 } });
    let overloaded = json!({ "name": "overloaded", "times": 1, "fault": 529 });
    let script = rules(json!([limited, overloaded, say("Fresh", 0, "Done.")]));
    let hive = TestHive::builder().script(script).start().await;
    let id = hive.post_task(json!({ "title": "Fresh" })).await;
    let task = hive.wait_succeeded(id, 20).await;
    assert_eq!(task["run"], format!("{id}.1"), "the run kept its place");
    assert_eq!(hive.calls(id).len(), 1);
    let failed = "SELECT count(*) FROM llm_calls WHERE task_id = $1 AND state = 'failed'";
    assert_eq!(hive.count(failed, id).await, 2, "both refusals are on record");
    let spent =
        "SELECT (extract(epoch FROM completed_at - started_at) * 1000)::bigint FROM tasks WHERE id = $1";
    assert!(hive.count(spent, id).await >= 1_000, "the wait that the provider asked for is not undercut");
    hive.assert_whole(id).await;
}
