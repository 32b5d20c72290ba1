//! Postgres goes and comes back: the processes say so, and no work is lost.

use std::time::Duration;

use hive_tests::{Gate, TestHive, answer, branch, finish, rules, say, shell, within};
use serde_json::{Value, json};

async fn all_answer(hive: &TestHive, code: u16) {
    let programs = hive.apis.iter().chain(&hive.workers).chain(&hive.schedulers);
    for program in programs {
        let what = format!("{} answers {code}", program.name);
        let answers = async || (hive.health(program.url()).await.0 == code).then_some(());
        within(Duration::from_secs(20), &what, answers).await;
    }
}

#[tokio::test]
async fn health_says_that_postgres_is_away_and_recovers_without_a_restart() {
    let script = rules(json!([say("After", 0, "Back.")]));
    let mut hive = TestHive::builder().script(script).own_postgres().start().await;
    all_answer(&hive, 200).await;
    hive.postgres().stop();
    all_answer(&hive, 503).await;
    let (_, page): (u16, Value) = hive.health(hive.apis[0].url()).await;
    assert_eq!(page["status"], "not_ready");
    assert!(page["reasons"].to_string().contains("postgres is down"), "{page}");
    assert!(!page.to_string().contains("password") && !page.to_string().contains("postgres://"), "{page}");

    hive.postgres().start().unwrap();
    all_answer(&hive, 200).await;
    let id = hive.post_task(json!({ "title": "After" })).await;
    hive.wait_succeeded(id, 20).await;
}

#[tokio::test]
async fn a_postgres_that_crashes_under_load_loses_no_work() {
    const TURNS: usize = 6;
    let mut script: Vec<Value> = (0..TURNS - 1)
        .map(|turn| answer("Load", turn, json!([shell(&format!("echo {turn} > f{turn}"))])))
        .collect();
    script.push(answer("Load", TURNS - 1, json!([finish("Loaded.")])));
    let hive = TestHive::builder().script(rules(json!(script))).latency(Duration::from_millis(400));
    let mut hive = hive.own_postgres().start().await;
    let repo = hive.repo("load", &[("README", "Load.\n")]);
    let mut tasks = Vec::new();
    for _ in 0..6 {
        tasks.push(hive.post_task(json!({ "title": "Load", "repository": repo.json() })).await);
    }
    let mut noops = Vec::new();
    for _ in 0..30 {
        noops.push(hive.post_task(json!({ "title": "Noop", "duty": "noop" })).await);
    }
    let moved = async || (hive.all_steps().await >= 8).then_some(());
    within(Duration::from_secs(60), "work is under way", moved).await;
    hive.postgres().crash();
    // Longer than a lease: nobody can renew, and nobody may be taken for dead because of that. Answers that come
    // meanwhile have to wait for the database.
    tokio::time::sleep(Duration::from_secs(12)).await;
    hive.postgres().start().unwrap();
    all_answer(&hive, 200).await;

    for id in tasks {
        hive.wait_succeeded(id, 60).await;
        let turns: Vec<usize> = hive.calls(id).iter().map(|call| call.turn).collect();
        assert_eq!(turns, (0..TURNS).collect::<Vec<_>>(), "no answer that was paid for is lost");
        assert_eq!(repo.commits(&branch(id)).len(), TURNS - 1);
        assert_eq!(hive.booked(id).await, hive.charged(id));
        hive.assert_whole(id).await;
    }
    for id in noops {
        hive.wait_succeeded(id, 30).await;
        hive.assert_whole(id).await;
    }
}

#[tokio::test]
async fn a_connection_that_went_dead_stops_neither_the_worker_nor_its_end() {
    let mut hive = TestHive::builder().workers(0).slots(8).start().await;
    let gate = Gate::before_postgres(&hive).await;
    hive.set_worker_env("DATABASE_URL", &gate.url(&hive));
    // The search for tasks without tickets holds all free places while it waits.
    let words = "ORDER BY t.priority, t.run_at, t.id LIMIT $6 FOR NO KEY UPDATE OF t SKIP LOCKED";
    for is_stopped in [false, true] {
        gate.swallow(words);
        let worker = hive.start_worker().await;
        within(Duration::from_secs(20), "a question is lost", async || gate.has_swallowed().then_some(()))
            .await;
        if is_stopped {
            hive.workers[worker].ask_to_end();
            assert!(hive.workers[worker].ends(Duration::from_secs(20)).await.success());
        } else {
            let id = hive.post_task(json!({ "title": "Nothing", "duty": "noop" })).await;
            hive.wait_succeeded(id, 30).await;
        }
    }
}
