//! SIGTERM under load: steps in flight end, tasks are handed over, nothing fails and nothing is paid twice.

use std::time::Duration;

use hive_tests::{TestHive, answer, branch, finish, rules, shell, within};
use serde_json::{Value, json};

const TASKS: usize = 8;
const TURNS: usize = 6;

#[tokio::test]
async fn a_rolling_restart_fails_no_task_and_burns_no_attempt() {
    let mut script: Vec<Value> = (0..TURNS - 1)
        .map(|turn| answer("Load", turn, json!([shell(&format!("echo {turn} > f{turn}"))])))
        .collect();
    script.push(answer("Load", TURNS - 1, json!([finish("Loaded.")])));
    let hive = TestHive::builder().script(rules(json!(script))).latency(Duration::from_millis(500));
    let mut hive = hive.workers(2).hosts_apart().start().await;
    let repo = hive.repo("load", &[("README", "Load.\n")]);
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        // One try only: an attempt that the restart burnt would be the end of the task.
        let body = json!({ "title": "Load", "repository": repo.json(), "max_attempts": 1 });
        tasks.push(hive.post_task(body).await);
    }
    for (old, progress) in [(0, 2 * TASKS), (1, 6 * TASKS)] {
        let moved = async || (hive.all_steps().await >= i64::try_from(progress).unwrap()).then_some(());
        within(Duration::from_secs(60), "work is under way", moved).await;
        hive.launch_worker();
        hive.workers[old].ask_to_end();
        let asked = tokio::time::Instant::now();
        let status = hive.workers[old].ends(Duration::from_secs(20)).await;
        assert!(status.success(), "worker {old} ended with {status}");
        println!("worker {old} drained in {:.1} s", asked.elapsed().as_secs_f64());
    }
    for id in tasks {
        hive.wait_succeeded(id, 60).await;
        let turns: Vec<usize> = hive.calls(id).iter().map(|call| call.turn).collect();
        assert_eq!(turns, (0..TURNS).collect::<Vec<_>>(), "no paid call is repeated");
        let events = hive.event_kinds(id).await;
        assert!(!events.contains(&"task.orphaned".to_owned()), "handed over, not taken: {events:?}");
        assert_eq!(repo.commits(&branch(id)).len(), TURNS - 1);
        hive.assert_whole(id).await;
    }
    hive.all_ready().await;
}

#[tokio::test]
async fn what_outlasts_the_drain_is_handed_back_and_begun_again() {
    // The first worker meets a call that takes longer than it has; its successor does not. The command always does.
    let mut slow_call = answer("Call", 0, json!([finish("Called.")]));
    slow_call["delay_ms"] = json!(60_000);
    slow_call["times_per_user"] = json!(1);
    let script = rules(json!([
        slow_call,
        answer("Call", 0, json!([finish("Called.")])),
        answer("Tool", 0, json!([shell("sleep 60")])),
    ]));
    let mut hive = TestHive::builder().script(script).worker_env("HIVE_DRAIN_SECONDS", "1").start().await;
    let repo = hive.repo("slow", &[("README", "Slow.\n")]);
    let post = async |title: &str| {
        hive.post_task(json!({ "title": title, "repository": repo.json(), "max_attempts": 1 })).await
    };
    let (call, tool) = (post("Call").await, post("Tool").await);
    hive.wait_steps(tool, 20, 1).await;
    hive.wait_status(call, 20, "running").await;
    hive.workers[0].ask_to_end();
    let status = hive.workers[0].ends(Duration::from_secs(8)).await;
    assert!(status.success(), "the worker ended with {status}");
    for id in [call, tool] {
        let task = hive.task(id).await;
        assert_eq!(
            (&task["status"], &task["status_reason"]),
            (&json!("ready"), &json!("drained")),
            "{task:#}"
        );
        assert_eq!(task["attempt"], 0, "no attempt is burnt");
    }
    assert_eq!(hive.step_kinds(tool).await, ["reply"], "a command that was ended is no result");
    hive.cancel(tool).await;
    hive.start_worker().await;
    hive.wait_succeeded(call, 20).await;
    assert_eq!(hive.calls(call).len(), 1, "the call that was given up brought nothing, and was not charged");
}
