//! A cancelled task stops at once, whatever it is doing.

use std::{fs, time::Duration};

use hive_tests::{TestHive, answer, finish, rules, shell, within};
use serde_json::json;

/// A number of seconds that no other command of this machine sleeps for.
const SLEEP: &str = "317.25";

/// Whether a process of this machine sleeps for that long.
fn sleeps() -> bool {
    let command = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).ok();
    let words = format!("sleep\0{SLEEP}\0");
    fs::read_dir("/proc").unwrap().flatten().filter_map(command).any(|line| line == words.as_bytes())
}

#[tokio::test]
async fn a_cancelled_task_s_command_is_dead_within_five_seconds() {
    let script = rules(json!([
        answer("Sleep", 0, json!([shell(&format!("sleep {SLEEP}"))])),
        answer("Sleep", 1, json!([finish("Slept well.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("sleepy", &[("README", "Sleepy.\n")]);
    let id = hive.post_task(json!({ "title": "Sleep", "repository": repo.json() })).await;
    within(Duration::from_secs(20), "the command runs", async || sleeps().then_some(())).await;

    hive.cancel(id).await;
    within(Duration::from_secs(5), "the command is dead", async || (!sleeps()).then_some(())).await;
    let task = hive.task(id).await;
    assert_eq!((&task["status"], &task["status_reason"]), (&json!("cancelled"), &json!("requested")));
    assert_eq!(hive.calls(id).len(), 1, "no further call");
    assert_eq!(hive.step_kinds(id).await, ["reply"], "the run wrote nothing after its lease was gone");
    hive.cancel(id).await;
    hive.assert_whole(id).await;

    let next = hive.post_task(json!({ "title": "Sleep", "repository": repo.json() })).await;
    within(Duration::from_secs(20), "the place is free again", async || sleeps().then_some(())).await;
    hive.cancel(next).await;
    within(Duration::from_secs(5), "the second command is dead", async || (!sleeps()).then_some(())).await;
}
