//! Each row of the matrix of faults: what the provider does, and what becomes of the task and how often it was asked.

use hive_tests::{TestHive, rules, within};
use serde_json::{Value, json};
use std::time::Duration;

/// A row: its name, what strikes and how often, what the task becomes and why, and how many requests reach the provider.
struct Row {
    name: &'static str,
    fault: Value,
    times: u64,
    becomes: &'static str,
    reason: Option<&'static str>,
    requests: std::ops::RangeInclusive<usize>,
}

fn row(name: &'static str, fault: Value, times: u64) -> Row {
    let requests = usize::try_from(times).unwrap() + 1;
    Row { name, fault, times, becomes: "succeeded", reason: None, requests: requests..=requests }
}

fn ends(name: &'static str, fault: Value, reason: &'static str) -> Row {
    Row { name, fault, times: 99, becomes: "failed", reason: Some(reason), requests: 1..=1 }
}

fn parks(name: &'static str, fault: Value, reason: &'static str, requests: usize) -> Row {
    Row { name, fault, times: 99, becomes: "waiting", reason: Some(reason), requests: 1..=requests }
}

fn matrix() -> Vec<Row> {
    let error_event = |kind: &str| json!({ "error_event": { "after_events": 3, "error_type": kind } });
    vec![
        row("429 with a short retry-after", json!({ "status": 429, "retry_after": 1 }), 1),
        parks("429 with a long retry-after", json!({ "status": 429, "retry_after": 30 }), "rate_limited", 1),
        row("529 overloaded", json!(529), 2),
        row("500", json!(500), 1),
        row("502", json!(502), 1),
        row("503", json!(503), 1),
        row("504", json!(504), 1),
        row("408", json!(408), 1),
        row("409", json!(409), 1),
        row("reset before headers", json!("cut_before_headers"), 1),
        row(
            "x-should-retry true wins over a 400",
            json!({ "status": 400, "headers": { "x-should-retry": "true" } }),
            1,
        ),
        parks(
            "x-should-retry false: a 529 is not made again at once",
            json!({ "status": 529, "headers": { "x-should-retry": "false" } }),
            "provider_unavailable",
            1,
        ),
        parks(
            "x-should-retry false and a time",
            json!({ "status": 503, "retry_after": 30, "headers": { "x-should-retry": "false" } }),
            "provider_unavailable",
            1,
        ),
        row("200 then an overloaded event", error_event("overloaded_error"), 1),
        row("200 then an api_error event", error_event("api_error"), 1),
        ends("200 then a bad request event", error_event("invalid_request_error"), "invalid_request"),
        row("stream cut", json!({ "cut_after_events": 3 }), 1),
        row("slow loris once", json!({ "stall_after_events": 3 }), 1),
        parks("slow loris again", json!({ "stall_after_events": 3 }), "provider_unavailable", 2),
        row("garbage once", json!("garbage"), 1),
        parks("garbage again", json!("garbage"), "provider_unavailable", 2),
        ends("400", json!(400), "invalid_request"),
        ends(
            "400 prompt is too long",
            json!({ "status": 400, "message": "prompt is too long: 9 tokens > 8 maximum" }),
            "context_window",
        ),
        ends("404 model", json!(404), "model_not_found"),
        ends("413", json!(413), "request_too_large"),
        ends("422", json!(422), "invalid_request"),
        parks("529 without end", json!(529), "provider_unavailable", 6),
    ]
}

#[tokio::test]
async fn each_row_of_the_matrix() {
    let rows = matrix();
    let mut script: Vec<Value> = Vec::new();
    for row in &rows {
        let when = json!({ "first_text": format!("Task: {}\n", row.name) });
        script.push(json!({ "name": row.name, "when": when, "say": "Half of it.", "fault": row.fault, "times": row.times }));
    }
    script.push(json!({ "name": "well", "say": "Done." }));
    let hive = TestHive::builder()
        .script(rules(json!(script)))
        .slots(8)
        .worker_env("HIVE_CLAUDE_IDLE_SECONDS", "1.5")
        .worker_env("HIVE_CLAUDE_RETRY_SECONDS", "0.02")
        // Rows would open the breaker and use up the repeats together.
        .worker_env("HIVE_BREAKER_FAILURES", "10000")
        .worker_env("HIVE_REPEATS_PERCENT", "10000")
        .start()
        .await;
    for row in &rows {
        // One after the other: a hold of one row is one for all.
        let id = hive.post_task(json!({ "title": row.name })).await;
        let at = format!("row {:?}", row.name);
        let settled = |task: &Value| {
            let status = task["status"].as_str().unwrap_or_default();
            matches!(status, "succeeded" | "failed" | "dead")
                || status == "waiting" && row.becomes == "waiting"
        };
        let task = hive.wait_for(id, 40, &at, settled).await;
        assert_eq!(task["status"], row.becomes, "{at}: {task:#}");
        assert_eq!(task["status_reason"], json!(row.reason), "{at}: {task:#}");
        assert!(task["attempt"].as_i64().unwrap() <= 1, "{at} burnt an attempt");
        let user = id.to_string();
        let asked =
            hive.double.requests().iter().filter(|kept| kept.user_id.as_deref() == Some(&user)).count();
        assert!(row.requests.contains(&asked), "{at}: {asked} requests");
        let half = "SELECT count(*) FROM steps WHERE task_id = $1 AND body::text LIKE '%Half of it%'";
        assert_eq!(hive.count(half, id).await, 0, "{at}: a torn reply was kept");
        // Of a torn reply nobody is told how much output was charged; of its input, all.
        let (booked, charged) = (hive.booked(id).await, hive.charged(id));
        let input = |of: &hive_tests::Charged| (of.input_tokens, of.cache_read_tokens, of.cache_write_tokens);
        assert_eq!(input(&booked), input(&charged), "{at}: what was streamed is booked");
        if row.becomes == "waiting" {
            hive.cancel(id).await;
            let held = row.fault["retry_after"].is_number();
            let (status, lifted) = hive.post("/api/v1/provider/resume", &json!({})).await;
            assert_eq!((status == 200, status), (held, if held { 200 } else { 404 }), "{at}: {lifted:#}");
        }
    }
}

#[tokio::test]
async fn a_long_hold_is_named_by_why_with_its_end() {
    let limited = json!({ "name": "limited", "times": 1, "fault": { "status": 429, "retry_after": 40 } });
    let hive =
        TestHive::builder().script(rules(json!([limited, { "name": "well", "say": "Done." }]))).start().await;
    let id = hive.post_task(json!({ "title": "Held" })).await;
    hive.wait_status(id, 30, "waiting").await;
    let other = hive.post_task(json!({ "title": "Behind it" })).await;
    let held = async || {
        let why = hive.get(&format!("/api/v1/tasks/{other}/why")).await;
        (why["cause"] == "held").then_some(why)
    };
    let why = within(Duration::from_secs(30), "the second task is turned away", held).await;
    assert!(
        why["until"].is_string()
            && why["clears"].as_str().is_some_and(|clears| clears.starts_with("That time")),
        "{why:#}"
    );
    let user = other.to_string();
    assert!(
        hive.double.requests().iter().all(|kept| kept.user_id.as_deref() != Some(&user)),
        "it was not asked for"
    );
}
