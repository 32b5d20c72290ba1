//! Many tasks at once, while a fleet works on them.

use std::{fs, time::Duration};

use hive_tests::{TestHive, answer, finish, rules, shell, within};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const ACTIONS: &str = "/api/v1/tasks/actions";
/// A number of seconds that no other command of this machine sleeps for.
const SLEEP: &str = "319.5";

fn sleepers() -> usize {
    let command = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).ok();
    let words = format!("sleep\0{SLEEP}\0");
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(command)
        .filter(|line| line == words.as_bytes())
        .count()
}

async fn post(hive: &TestHive, path: &str, body: Value) -> Value {
    let answer = hive.send(0, Method::POST, path, Some(&body)).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).unwrap()
}

async fn done(hive: &TestHive, action: &Value) -> Value {
    let path = format!("{ACTIONS}/{}", action["id"].as_str().unwrap());
    let look = async || Some(hive.get(&path).await).filter(|action| action["status"] == "done");
    within(Duration::from_secs(30), "the action is done", look).await
}

/// The scheduler that begins the work is killed, and another one ends it. Commands of running tasks die.
#[tokio::test]
async fn a_fleet_at_work_is_cancelled_by_filter_and_the_death_of_a_scheduler_changes_nothing() {
    let script = rules(json!([
        answer("Sleep", 0, json!([shell(&format!("sleep {SLEEP}"))])),
        answer("Sleep", 1, json!([finish("Slept well.")])),
    ]));
    let mut hive = TestHive::builder().script(script).slots(2).schedulers(2).start().await;
    let repo = hive.repo("sleepy", &[("README", "Sleepy.\n")]);
    let labels = json!({ "team": "night" });
    let mut running: Vec<Uuid> = Vec::new();
    for _ in 0..2 {
        let task = json!({ "title": "Sleep", "repository": repo.json(), "labels": labels, "priority": 1 });
        running.push(hive.post_task(task).await);
    }
    within(Duration::from_secs(30), "both commands run", async || (sleepers() == 2).then_some(())).await;
    // Not before its time: a slot that a cancelled command gives back must not end one of these first.
    let queued =
        json!({ "title": "Queued", "duty": "noop", "labels": labels, "run_at": "2999-01-01T00:00:00Z" });
    for _ in 0..5 {
        post(&hive, "/api/v1/tasks/bulk", json!({ "tasks": vec![&queued; 1_000] })).await;
    }
    let filter = json!({ "labels": labels });
    let counted =
        post(&hive, ACTIONS, json!({ "action": "cancel", "filter": filter, "dry_run": true })).await;
    assert_eq!(counted["matched"], 5_002);

    let action = post(&hive, ACTIONS, json!({ "action": "cancel", "filter": filter })).await;
    assert_eq!((&action["status"], &action["matched"]), (&json!("working"), &json!(5_002)));
    hive.schedulers[0].kill9();
    let end = done(&hive, &action).await;
    assert_eq!((&end["done"], &end["skipped"]), (&json!(5_002), &json!(0)));
    within(Duration::from_secs(5), "both commands are dead", async || (sleepers() == 0).then_some(())).await;
    assert_eq!(hive.tasks_in("cancelled").await, 5_002);
    for id in running {
        assert_eq!(hive.calls(id).len(), 1, "no further call");
        hive.assert_whole(id).await;
    }
}

/// A low lane is full and the only worker busy; what is made urgent is done first.
#[tokio::test]
async fn what_becomes_urgent_is_taken_first_and_what_died_is_redriven() {
    let script = rules(json!([
        answer("Sleep", 0, json!([shell("sleep 4")])),
        answer("Sleep", 1, json!([finish("Slept well.")])),
    ]));
    let hive = TestHive::builder().script(script).slots(1).start().await;
    let repo = hive.repo("sleepy", &[("README", "Sleepy.\n")]);
    let busy = hive.post_task(json!({ "title": "Sleep", "repository": repo.json(), "priority": 1 })).await;
    hive.wait_status(busy, 20, "running").await;
    let task =
        |team: &str| json!({ "title": "T", "duty": "noop", "priority": 9, "labels": { "team": team } });
    let mut tasks = vec![task("slow"); 300];
    tasks.extend(vec![task("fast"); 20]);
    post(&hive, "/api/v1/tasks/bulk", json!({ "tasks": tasks })).await;
    let filter = json!({ "labels": { "team": "fast" } });
    let action =
        post(&hive, ACTIONS, json!({ "action": "reprioritise", "filter": filter, "priority": 1 })).await;
    assert_eq!(done(&hive, &action).await["done"], 20);
    hive.wait_succeeded(busy, 30).await;
    let all = async || (hive.tasks_in("succeeded").await == 321).then_some(());
    within(Duration::from_secs(60), "all are done", all).await;
    let overtaken = "SELECT count(*) FROM tasks slow, tasks fast
                     WHERE slow.labels->>'team' = 'slow' AND fast.labels->>'team' = 'fast'
                       AND slow.started_at < fast.started_at AND $1::uuid IS NOT NULL";
    let overtaken = hive.count(overtaken, busy).await;
    // The worker lets the least urgent lane go first now and then, so that it never starves.
    assert!(overtaken <= 20 * 20, "{overtaken} pairs of 6,000 ran in the old order");

    let die = "UPDATE tasks SET status = 'dead', status_reason = 'poison', error_class = 'network'
               WHERE labels->>'team' = 'fast' AND $1::uuid IS NOT NULL";
    sqlx::query(die).bind(busy).execute(&hive.pool).await.unwrap();
    let dead = hive.get("/api/v1/dead-letters?error_class=network&limit=200").await;
    assert_eq!(dead["items"].as_array().unwrap().len(), 20);
    let filter = json!({ "error_class": "network" });
    let action = post(&hive, ACTIONS, json!({ "action": "redrive", "filter": filter })).await;
    assert_eq!(done(&hive, &action).await["done"], 20);
    let again = "SELECT count(*) FROM tasks t JOIN tasks o ON o.id = t.redriven_from
                 WHERE o.error_class = 'network' AND t.status = 'succeeded' AND $1::uuid IS NOT NULL";
    let again = async || (hive.count(again, busy).await == 20).then_some(());
    within(Duration::from_secs(30), "the new ones are done", again).await;
}
