//! A failed try is tried again by its class: so often, so much later, and on record.

use std::time::Duration;

use hive_tests::{TestHive, rules, say, within};
use serde_json::{Value, json};

#[tokio::test]
async fn three_attempts_are_exactly_three_tries_each_on_record() {
    let script = rules(json!([say("Gone", 0, "Here."), say("Back", 0, "Here.")]));
    let mut hive = TestHive::builder().script(script).workers(0).start().await;
    let (gone, back) =
        (hive.repo("gone", &[("README", "Gone.\n")]), hive.repo("back", &[("README", "Back.\n")]));
    let lost = hive.post_task(json!({ "title": "Gone", "repository": gone.json(), "max_attempts": 3 })).await;
    let found =
        hive.post_task(json!({ "title": "Back", "repository": back.json(), "max_attempts": 20 })).await;
    let aside = back.path.with_extension("aside");
    for (from, to) in [(&gone.path, &gone.path.with_extension("aside")), (&back.path, &aside)] {
        std::fs::rename(from, to).unwrap();
    }
    hive.launch_worker();
    hive.all_ready().await;
    let retried = async || (hive.task(found).await["status_reason"] == "retry").then_some(());
    within(Duration::from_secs(40), "the first try failed", retried).await;
    std::fs::rename(&aside, &back.path).unwrap();

    let task = hive.wait_end(lost, 90).await;
    assert_eq!(
        (&task["status"], &task["status_reason"]),
        (&json!("dead"), &json!("attempts_exhausted")),
        "{task:#}"
    );
    assert_eq!((&task["attempt"], &task["error_class"]), (&json!(3), &json!("repository")));
    let query =
        "SELECT data FROM events WHERE task_id = $1 AND kind IN ('task.waiting', 'task.dead') ORDER BY seq";
    let tries: Vec<Value> = sqlx::query_scalar(query).bind(lost).fetch_all(&hive.pool).await.unwrap();
    assert_eq!(tries.len(), 3, "{tries:#?}");
    for (number, tried) in (1_u32..).zip(&tries) {
        assert_eq!((&tried["attempt"], &tried["error_class"]), (&json!(number), &json!("repository")));
        match tried["delay_seconds"].as_f64() {
            Some(delay) => {
                assert!((0.0..=5.0 * f64::from(2_u32.pow(number - 1))).contains(&delay), "{tried:#}");
            }
            None => assert_eq!(number, 3, "the last one is not followed by another"),
        }
    }
    let kept = "SELECT count(*) FROM (SELECT w.created_at + make_interval(secs => (w.data->>'delay_seconds')::float8) \
                AS due, (SELECT min(s.created_at) FROM events s WHERE s.task_id = w.task_id AND s.seq > w.seq \
                AND s.kind = 'task.started') AS next FROM events w WHERE w.task_id = $1 AND w.kind = 'task.waiting') t \
                WHERE next >= due";
    assert_eq!(hive.count(kept, lost).await, 2, "no try came before its time");
    hive.assert_whole(lost).await;

    hive.wait_succeeded(found, 90).await;
}

#[tokio::test]
async fn a_request_that_the_provider_refuses_is_not_made_again() {
    let refused = json!({ "name": "refused", "when": { "first_text": "Refused" }, "fault": 400 });
    let hive = TestHive::builder().script(rules(json!([refused]))).start().await;
    let id = hive.post_task(json!({ "title": "Refused" })).await;
    let task = hive.wait_end(id, 30).await;
    assert_eq!(
        (&task["status"], &task["status_reason"]),
        (&json!("failed"), &json!("invalid_request")),
        "{task:#}"
    );
    assert_eq!(task["error_class"], "invalid_request");
    let made = "SELECT count(*) FROM llm_calls WHERE task_id = $1";
    assert_eq!(hive.count(made, id).await, 1);
}
