//! A cancelled task stops at once, whatever it is doing.

use std::{fs, time::Duration};

use hive_tests::{TestHive, answer, finish, rules, shell, within};
use serde_json::json;

/// A number of seconds that no other command of this machine sleeps for.
const SLEEP: &str = "317.25";

/// Whether a process of this machine sleeps for that long.
fn sleeps() -> bool {
    sleeps_for(SLEEP)
}

fn sleeps_for(seconds: &str) -> bool {
    let command = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).ok();
    let words = format!("sleep\0{seconds}\0");
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

/// A parent with three children: one runs a long command, one waits in the queue, one waits for its time.
#[tokio::test]
async fn a_cancelled_parent_takes_its_children_and_their_commands_with_it() {
    const CHILD: &str = "318.75";
    let script = rules(json!([
        answer("Child", 0, json!([shell(&format!("sleep {CHILD}"))])),
        answer("Child", 1, json!([finish("Slept well.")])),
        answer("Parent", 0, json!([shell(&format!("sleep {CHILD}"))])),
        answer("Parent", 1, json!([finish("Slept well.")])),
    ]));
    let hive = TestHive::builder().script(script).slots(1).start().await;
    let repo = hive.repo("family", &[("README", "A family.\n")]);
    let parent = hive.post_task(json!({ "title": "Parent", "run_at": "2999-01-01T00:00:00Z" })).await;
    let child = |more: serde_json::Value| {
        let mut task = json!({ "title": "Child", "repository": repo.json(), "parent_id": parent });
        task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        task
    };
    let running = hive.post_task(child(json!({}))).await;
    within(Duration::from_secs(30), "the command runs", async || sleeps_for(CHILD).then_some(())).await;
    let queued = hive.post_task(child(json!({}))).await;
    let grandchild = hive.post_task(json!({ "title": "Child", "duty": "noop", "parent_id": queued })).await;
    let timed = hive.post_task(child(json!({ "run_at": "2999-01-01T00:00:00Z" }))).await;

    hive.cancel(parent).await;
    within(Duration::from_secs(5), "the command is dead", async || (!sleeps_for(CHILD)).then_some(())).await;
    for id in [parent, running, queued, grandchild, timed] {
        let task = hive.task(id).await;
        let reason = if id == parent { "requested" } else { "parent_cancelled" };
        assert_eq!(
            (&task["status"], &task["status_reason"]),
            (&json!("cancelled"), &json!(reason)),
            "{task:#}"
        );
        let by = "SELECT count(*) FROM events WHERE task_id = $1 AND kind = 'task.cancelled'
                  AND data->>'actor' = 'operator'";
        assert_eq!(hive.count(by, id).await, 1);
        hive.assert_whole(id).await;
    }
    assert_eq!(hive.calls(running).len(), 1, "no further call");
    assert_eq!(hive.step_kinds(running).await, ["reply"]);

    // The place is free, and what stood in the queue behind it is not taken up.
    let next = hive.post_task(json!({ "title": "Next", "duty": "noop" })).await;
    hive.wait_succeeded(next, 20).await;
    assert_eq!(hive.calls(queued).len() + hive.calls(timed).len() + hive.calls(parent).len(), 0);
}
