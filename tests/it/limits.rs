//! Each limit ends a task with a reason of its own and keeps the work that was done.

use std::time::Duration;

use hive_tests::{TestHive, branch, finish, rules, shell, write};
use serde_json::{Value, json};

#[tokio::test]
async fn each_limit_has_its_own_end_and_keeps_the_work() {
    // Writes a file in each turn and never ends by itself.
    let endless = json!({ "name": "endless", "tools": [write("f{{turn}}", "{{turn}}\n")] });
    let script = rules(json!([endless]));
    let hive = TestHive::builder().script(script).latency(Duration::from_millis(300)).start().await;
    let repo = hive.repo("endless", &[("README", "No end.\n")]);
    let none = json!({ "max_turns": null, "max_seconds": null, "max_tokens": null, "max_cost_usd": null });
    let mut tasks = Vec::new();
    for (limit, value, reason) in [
        ("max_turns", json!(3), "turn_limit"),
        ("max_seconds", json!(2), "time_limit"),
        ("max_tokens", json!(5_000), "token_limit"),
        ("max_cost_usd", json!(0.01), "cost_limit"),
    ] {
        let mut limits = none.clone();
        limits[limit] = value;
        let body = json!({ "title": limit, "repository": repo.json(), "limits": limits });
        tasks.push((hive.post_task(body).await, reason));
    }
    for (id, reason) in tasks {
        let task = hive.wait_end(id, 60).await;
        assert_eq!((&task["status"], &task["status_reason"]), (&json!("failed"), &json!(reason)), "{task:#}");
        let turns = hive.calls(id).len();
        assert!(turns >= 1, "{reason}");
        if reason == "turn_limit" {
            assert_eq!(turns, 3);
        }
        let files: Vec<String> = (0..turns).map(|turn| format!("f{turn}")).collect();
        let kept = repo.files(&branch(id));
        assert!(files.iter().all(|file| kept.contains(file)), "{reason}: {kept:?}");
        assert_eq!(task["result"]["commit"], repo.commit(&branch(id)));
        assert!(hive.diff(id).await.contains("+++ b/f0"));
        assert_eq!(hive.booked(id).await, hive.charged(id));
        hive.assert_whole(id).await;
    }
}

#[tokio::test]
async fn the_time_limit_ends_a_command_that_outlasts_it() {
    let script = rules(json!([
        { "name": "sleep", "when": { "turn": 0 }, "tools": [write("begun", "yes\n"), shell("sleep 120")] },
        { "name": "finish", "tools": [finish("Slept.")] },
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("slow", &[("README", "Slow.\n")]);
    let id = hive
        .post_task(json!({ "title": "Sleep", "repository": repo.json(), "limits": { "max_seconds": 3 } }))
        .await;
    let task = hive.wait_end(id, 20).await;
    assert_eq!((&task["status"], &task["status_reason"]), (&json!("failed"), &json!("time_limit")));
    assert_eq!(repo.file(&branch(id), "begun"), "yes\n");
    assert_eq!(hive.calls(id).len(), 1);
    let results: Vec<Value> = hive.steps(id).await;
    assert_eq!(results.len(), 2, "the command's end is in the journal: {results:#?}");
}
