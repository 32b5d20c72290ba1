//! A backlog is taken many tasks at a time, and nothing is left behind.

use std::time::Duration;

use hive_tests::{TestHive, within};
use reqwest::Method;
use serde_json::json;

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
