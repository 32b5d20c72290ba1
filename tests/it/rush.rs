//! A backlog is taken many tasks at a time, and nothing is left behind.

use std::time::Duration;

use hive_tests::{TestHive, answer, finish, rules, within};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

#[tokio::test]
async fn a_backlog_is_claimed_in_postgres_and_what_only_a_ticket_leads_to_is_not_forgotten() {
    const TASKS: usize = 900;
    let hive = TestHive::builder().slots(8).start().await;
    let rate = json!({ "kind": "key", "name": "slow", "rate": { "max_starts": 5, "per_seconds": 3600 } });
    let answer = hive.send(0, Method::PUT, "/api/v1/limits", Some(&rate)).await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let mut tasks = vec![json!({ "title": "Nothing", "duty": "noop" }); TASKS];
    for task in tasks.iter_mut().skip(700).take(2) {
        task["concurrency_key"] = json!("slow");
    }
    let answer = hive.send(0, Method::POST, "/api/v1/tasks/bulk", Some(&json!({ "tasks": tasks }))).await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let done = "SELECT count(*) FROM tasks WHERE status = 'succeeded'";
    within(Duration::from_secs(60), "all are done", async || {
        let count: i64 = sqlx::query_scalar(done).fetch_one(&hive.pool).await.unwrap();
        (count == TASKS as i64).then_some(())
    })
    .await;
    let metrics = hive.page(hive.workers[0].url(), "/metrics").await;
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or("absent 0");
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let without_ticket = value("hive_polled_claims_total");
    assert!(without_ticket > TASKS as f64 / 2.0, "{without_ticket} of {TASKS}");
    let double = "SELECT count(*) FROM (SELECT 1 FROM events WHERE kind = 'task.started'
                                        GROUP BY task_id HAVING count(*) > 1) AS twice";
    assert_eq!(sqlx::query_scalar::<_, i64>(double).fetch_one(&hive.pool).await.unwrap(), 0, "each ran once");
}

#[tokio::test]
async fn what_goes_first_finds_room_in_a_full_lane() {
    let mut slow = answer("Slow", 0, json!([finish("Done.")]));
    slow["delay_ms"] = json!(3_000);
    let mut hive = TestHive::builder().script(rules(json!([slow]))).slots(4).start().await;
    let rate = json!({ "kind": "key", "name": "slow", "rate": { "max_starts": 5, "per_seconds": 60 } });
    let answer = hive.send(0, Method::PUT, "/api/v1/limits", Some(&rate)).await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let tasks = vec![json!({ "title": "Slow", "priority": 6 }); 900];
    let answer = hive.send(0, Method::POST, "/api/v1/tasks/bulk", Some(&json!({ "tasks": tasks }))).await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let running = "SELECT id FROM tasks WHERE status = 'running'";
    let held: Vec<Uuid> = within(Duration::from_secs(30), "four run", async || {
        let held: Vec<Uuid> = sqlx::query_scalar(running).fetch_all(&hive.pool).await.unwrap();
        (held.len() == 4).then_some(held)
    })
    .await;
    hive.workers[0].kill9();
    hive.start_worker().await;
    let rated = hive.post_task(json!({ "title": "Slow", "priority": 5, "concurrency_key": "slow" })).await;
    // More comes than is done, so that the lane is full all the time.
    let began =
        "SELECT count(*) FROM tasks WHERE id = ANY ($1) AND epoch >= CASE WHEN id = $2 THEN 1 ELSE 2 END";
    let awaited: Vec<Uuid> = held.into_iter().chain([rated]).collect();
    within(Duration::from_secs(60), "the orphans and the task with a rate are claimed", async || {
        hive.post_task(json!({ "title": "Slow", "priority": 6 })).await;
        let began: i64 =
            sqlx::query_scalar(began).bind(&awaited).bind(rated).fetch_one(&hive.pool).await.unwrap();
        (began == 5).then_some(())
    })
    .await;
    let ready: i64 = sqlx::query_scalar("SELECT count(*) FROM tasks WHERE status = 'ready'")
        .fetch_one(&hive.pool)
        .await
        .unwrap();
    assert!(ready > 700, "they overtook the backlog, of which {ready} wait");
    let cancel = json!({ "action": "cancel", "filter": { "status": ["ready", "running"] } });
    let answer = hive.send(0, Method::POST, "/api/v1/tasks/actions", Some(&cancel)).await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    within(Duration::from_secs(60), "all ended", async || {
        let open = "SELECT count(*) FROM tasks WHERE status IN ('ready', 'running', 'pending', 'waiting')";
        let open: i64 = sqlx::query_scalar(open).fetch_one(&hive.pool).await.unwrap();
        (open == 0).then_some(())
    })
    .await;
}
