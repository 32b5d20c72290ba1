//! A worker that is frozen, overtaken and thawed writes nothing.

use std::time::Duration;

use hive_tests::{Gate, Repo, TestHive, answer, branch, finish, rules, shell, within};
use serde_json::{Value, json};
use uuid::Uuid;

/// Rows and heads of both tasks, and all branches.
async fn everything(hive: &TestHive, repo: &Repo, tasks: [Uuid; 2]) -> (Vec<Vec<Value>>, Vec<String>) {
    let mut rows = Vec::new();
    let mut heads = repo.branches();
    for id in tasks {
        rows.push(hive.rows(id).await);
        heads.push(repo.commit(&branch(id)));
    }
    (rows, heads)
}

#[tokio::test]
async fn what_a_thawed_worker_wants_to_write_is_refused() {
    // The first worker meets a slow call in one task and runs a slow command in the other; who comes after it meets
    // neither.
    let mut slow_call = answer("Call", 1, json!([shell("echo two > two")]));
    slow_call["delay_ms"] = json!(2_000);
    slow_call["times_per_user"] = json!(1);
    let script = rules(json!([
        slow_call,
        answer("Call", 0, json!([shell("echo one > one")])),
        answer("Call", 1, json!([shell("echo two > two")])),
        answer("Call", 2, json!([finish("Two files.")])),
        answer("Tool", 0, json!([shell("echo one > one")])),
        answer("Tool", 1, json!([shell("sleep 1.5; date +%N > two")])),
        answer("Tool", 2, json!([finish("Two files.")])),
    ]));
    let mut hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("files", &[("README", "Files.\n")]);
    let post = async |title: &str| hive.post_task(json!({ "title": title, "repository": repo.json() })).await;
    let (call, tool) = (post("Call").await, post("Tool").await);
    hive.wait_asked(call, 30, 2).await;
    hive.wait_steps(tool, 30, 3).await;
    hive.workers[0].freeze();
    hive.start_worker().await;
    for id in [call, tool] {
        let task = hive.wait_succeeded(id, 40).await;
        assert_eq!(task["run"], format!("{id}.2"), "the second run finished it");
    }
    let before = everything(&hive, &repo, [call, tool]).await;

    hive.workers[0].thaw();
    let refused = |id: Uuid| {
        let lost = |line: &serde_json::Map<String, Value>| {
            line.get("task.id") == Some(&json!(id.to_string()))
                && line["message"].as_str().is_some_and(|text| text.contains("its lease is lost"))
        };
        hive.workers[0].log().iter().flatten().any(lost)
    };
    let both = async || (refused(call) && refused(tool)).then_some(());
    within(Duration::from_secs(20), "the thawed worker notices", both).await;
    assert!(
        before == everything(&hive, &repo, [call, tool]).await,
        "rows, journal and branches are as they were"
    );
    for id in [call, tool] {
        hive.assert_whole(id).await;
    }
    let metrics = hive.page(hive.workers[0].url(), "/metrics").await;
    assert!(metrics.contains("hive_leases_lost_total 2"), "{metrics}");
}

#[tokio::test]
async fn a_call_that_was_noted_before_a_freeze_is_not_sent_after_it() {
    const TASKS: usize = 8;
    let script = rules(json!([
        answer("Noted", 0, json!([shell("echo begun > begun")])),
        answer("Noted", 1, json!([finish("Asked once.")])),
    ]));
    let mut hive = TestHive::builder().script(script).workers(0).slots(TASKS).start().await;
    let gate = Gate::before_postgres(&hive).await;
    hive.set_worker_env("DATABASE_URL", &gate.url(&hive));
    hive.start_worker().await;
    hive.set_worker_env("DATABASE_URL", &hive.store_urls()[0]);
    let repo = hive.repo("files", &[("README", "Files.\n")]);

    // In some tasks the results and the note of the next call stand in Postgres; the worker has not heard of it when
    // it freezes.
    let noted = "FROM llm_calls c WHERE state = 'intent' AND 2 = (SELECT count(*) FROM steps s WHERE s.task_id = c.task_id)";
    gate.close_when(&format!("EXISTS (SELECT 1 {noted})"));
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        tasks.push(hive.post_task(json!({ "title": "Noted", "repository": repo.json() })).await);
    }
    within(Duration::from_secs(30), "a next call is noted", async || {
        let count: i64 =
            sqlx::query_scalar(&format!("SELECT count(*) {noted}")).fetch_one(&hive.pool).await.unwrap();
        (count > 0).then_some(())
    })
    .await;
    hive.workers[0].freeze();
    gate.open();
    hive.start_worker().await;
    for id in &tasks {
        hive.wait_succeeded(*id, 60).await;
    }
    hive.workers[0].thaw();
    let trees = hive.path("data/host/workspaces/tasks");
    within(Duration::from_secs(20), "the thawed worker gives its trees up", async || {
        std::fs::read_dir(&trees).unwrap().next().is_none().then_some(())
    })
    .await;
    let lost = hive.page(hive.workers[0].url(), "/metrics").await;
    assert!(lost.contains("hive_leases_lost_total ") && !lost.contains("hive_leases_lost_total 0"), "{lost}");
    for id in tasks {
        assert_eq!(hive.calls(id).len(), 2, "what another run asked was not asked again");
        hive.assert_whole(id).await;
    }
}
