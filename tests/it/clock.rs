//! What happens by the clock: schedules that make tasks, and the sweep of a host whose worker died.

use std::time::Duration;

use hive_tests::{TestHive, answer, branch, finish, rules, shell, within};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

async fn post(hive: &TestHive, path: &str, body: Value) -> Value {
    let answer = hive.send(0, Method::POST, path, Some(&body)).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_schedule_makes_tasks_that_run_one_after_the_other() {
    let hive = TestHive::builder().schedulers(2).start().await;
    let body = json!({ "name": "probe", "cron": "* * * * * *", "overlap": "queue", "catch_up": "all",
                       "task": { "title": "Probe", "duty": "noop" } });
    let id = post(&hive, "/api/v1/schedules", body).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/schedules/{id}");
    within(Duration::from_secs(60), "three scheduled tasks succeed", async || {
        (hive.tasks_in("succeeded").await >= 3).then_some(())
    })
    .await;
    let shown = hive.get(&path).await;
    let slots = shown["last_slots"].as_array().unwrap();
    let fired: Vec<&Value> = slots.iter().filter(|slot| slot["outcome"] == "fired").collect();
    assert!(fired.len() >= 3, "{shown:#}");
    let task = hive.task(fired[0]["task_id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!((&task["title"], &task["created_by"]), (&json!("Probe"), &json!("schedule probe")));
    let at_once = "SELECT count(*) FROM tasks a JOIN tasks b ON a.id < b.id AND a.completed_at > b.created_at
                   WHERE $1 <> a.id";
    assert_eq!(hive.count(at_once, Uuid::nil()).await, 0, "none was made before the one before it had ended");

    let deleted = hive.send(0, Method::DELETE, &path, None).await;
    assert_eq!(deleted.status(), 204);
    let made = "SELECT count(*) FROM tasks WHERE id <> $1";
    within(Duration::from_secs(30), "the last of them ends", async || {
        (hive.count(made, Uuid::nil()).await as usize == hive.tasks_in("succeeded").await).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_worker_left_on_its_host_is_swept_and_no_work_is_lost() {
    let mut script = vec![answer("Sweep", 0, json!([shell("echo pushed > a")]))];
    script.push(answer("Sweep", 1, json!([shell("echo later > b")])));
    script.push(answer("Sweep", 2, json!([finish("Done.")])));
    let builder = TestHive::builder().script(rules(json!(script))).latency(Duration::from_millis(1_500));
    let mut hive = builder.slots(1).hosts_apart().start().await;
    let repo = hive.repo("shop", &[("README.md", "A shop.\n")]);
    let id = hive.post_task(json!({ "title": "Sweep", "repository": repo.json() })).await;
    hive.wait_steps(id, 60, 2).await;
    hive.workers[0].kill9();
    let left = hive.path(&format!("data/host-1/workspaces/tasks/{id}"));
    assert!(left.join("tree/a").is_file(), "the dead worker left its tree");
    hive.start_worker().await;
    hive.wait_succeeded(id, 90).await;
    assert!(left.is_dir(), "the other host knows nothing of it");

    let host = hive.path("data/host-1").to_str().unwrap().to_owned();
    hive.set_worker_env("HIVE_DATA", &host);
    hive.start_worker().await;
    let run = "/api/v1/housekeeping/workspaces/run";
    let early = post(&hive, run, json!({})).await;
    wait_done(&hive, &early, &host).await;
    assert!(left.is_dir(), "it ended a moment ago: who ran it may still be at it");
    let later = "UPDATE tasks SET completed_at = completed_at - interval '1 hour' WHERE id = $1";
    sqlx::query(later).bind(id).execute(&hive.pool).await.unwrap();

    let dry = wait_done(&hive, &post(&hive, &format!("{run}?dry_run=true"), json!({})).await, &host).await;
    assert_eq!(dry["removed_rows"], 1, "{dry:#}");
    assert!(left.is_dir(), "a dry run removes nothing");
    let swept = wait_done(&hive, &post(&hive, run, json!({})).await, &host).await;
    assert_eq!(
        (&swept["removed_rows"], &swept["report"]["quarantined"]),
        (&json!(1), &json!([])),
        "{swept:#}"
    );
    assert!(!left.exists(), "all of it is in the repository");
    assert_eq!(repo.file(&branch(id), "a"), "pushed\n");
    assert_eq!(repo.file(&branch(id), "b"), "later\n");
    let duties = hive.get("/api/v1/housekeeping").await;
    let mut items = duties["items"].as_array().unwrap().iter();
    let duty = items.find(|duty| duty["name"] == "workspaces").unwrap();
    assert!(duty["last_success_at"].is_string(), "{duty:#}");
}

/// The run of an order on this host, once it has ended.
async fn wait_done(hive: &TestHive, order: &Value, host: &str) -> Value {
    let path = format!("/api/v1/housekeeping/orders/{}", order["id"].as_str().unwrap());
    within(Duration::from_secs(60), "the host does the order", async || {
        let order = hive.get(&path).await;
        let mut runs = order["runs"].as_array().unwrap().iter();
        let run = runs.find(|run| run["host"].as_str().is_some_and(|name| name.contains(host)))?.clone();
        if run["state"] == "failed" {
            panic!("{run:#}");
        }
        (run["state"] == "done").then_some(run)
    })
    .await
}
