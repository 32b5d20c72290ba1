//! Trees of tasks that wait for each other, and a leaf that fails.

use std::time::Duration;

use hive_tests::{TestHive, rules, within};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// One leaf fails below three subtrees, one for each policy, four levels deep. Within five seconds of the failure every
/// task of all three has ended, and none of those that were to fail or to be skipped has run.
#[tokio::test]
async fn a_failed_leaf_ends_every_tree_above_it_within_five_seconds() {
    const POLICIES: [&str; 3] = ["fail", "skip", "continue"];
    let script = rules(json!([
        { "name": "declined", "when": { "first_text": "Leaf" }, "say": "No.", "stop_reason": "refusal",
          "delay_ms": 2_000 },
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let mut tasks = vec![json!({ "ref": "leaf", "title": "Leaf" })];
    for policy in POLICIES {
        for level in 1..=4 {
            for place in 0..2 {
                let below = if level == 1 {
                    vec!["leaf".to_owned()]
                } else {
                    (0..2).map(|place| format!("{policy}-{}-{place}", level - 1)).collect()
                };
                tasks.push(json!({
                    "ref": format!("{policy}-{level}-{place}"), "title": "Above", "duty": "noop",
                    "dependencies": below, "on_dependency_failure": policy,
                }));
            }
        }
    }
    let answer = hive.send(0, Method::POST, "/api/v1/tasks/bulk", Some(&json!({ "tasks": tasks }))).await;
    assert_eq!(answer.status(), 201);
    let accepted: Value = answer.json().await.unwrap();
    let ids: Vec<Uuid> = accepted["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap().parse().unwrap())
        .collect();
    hive.wait_status(ids[0], 30, "running").await;
    assert_eq!(hive.tasks_in("pending").await, 24);

    assert_eq!(hive.wait_end(ids[0], 30).await["status"], "failed");
    let open = "SELECT count(*) FROM tasks WHERE completed_at IS NULL AND $1::uuid IS NOT NULL";
    let ended = async || (hive.count(open, ids[0]).await == 0).then_some(());
    within(Duration::from_secs(5), "all trees have ended", ended).await;
    for (n, id) in ids.iter().enumerate().skip(1) {
        let task = hive.task(*id).await;
        let policy = POLICIES[(n - 1) / 8];
        let (status, reason) = match policy {
            "fail" => ("failed", json!("dependency_failed")),
            "skip" => ("cancelled", json!("dependency_skipped")),
            _ => ("succeeded", Value::Null),
        };
        assert_eq!((&task["status"], &task["status_reason"]), (&json!(status), &reason), "{task:#}");
        assert_eq!(task["started_at"].is_null(), policy != "continue");
        hive.assert_whole(*id).await;
    }
    let slow = "SELECT count(*) FROM tasks t JOIN tasks leaf ON leaf.id = $1
                WHERE t.completed_at > leaf.completed_at + interval '5 s'";
    assert_eq!(hive.count(slow, ids[0]).await, 0, "by the database's clock too");
    let early = "SELECT count(*) FROM tasks a JOIN task_dependencies d ON d.task_id = a.id
                 JOIN tasks b ON b.id = d.depends_on
                 WHERE a.started_at < b.completed_at AND $1::uuid IS NOT NULL";
    assert_eq!(hive.count(early, ids[0]).await, 0, "none began before what it waited for had ended");
}
