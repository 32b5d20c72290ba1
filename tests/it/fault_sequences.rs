//! Five hundred sequences of faults, drawn by seed: nothing hangs, no torn tool call runs, nothing is repeated that must
//! not be, and each task ends as the first fault that ends it says.

use std::time::Duration;

use hive_tests::{TestHive, finish, rules, within};
use serde_json::{Value, json};

const SEQUENCES: usize = 500;

/// A small generator, so that a sequence is the same everywhere. Seeded by HIVE_FAULT_SEED.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % most as u64).unwrap()
    }
}

/// A fault, and how a task ends by it; `None`: it passes.
fn faults() -> Vec<(Value, Option<&'static str>)> {
    let mut faults: Vec<(Value, Option<&'static str>)> =
        [408, 409, 500, 502, 503, 504, 529].map(|status| (json!(status), None)).into();
    faults.extend([
        (json!({ "cut_after_events": 0 }), None),
        (json!({ "cut_after_events": 2 }), None),
        (json!({ "cut_after_events": 5 }), None),
        (json!("cut_before_headers"), None),
        (json!({ "error_event": { "after_events": 4, "error_type": "overloaded_error" } }), None),
        (json!({ "stall_after_events": 4 }), None),
        (json!({ "delay_ms": 50 }), None),
        (json!({ "status": 400 }), Some("invalid_request")),
        (json!({ "status": 404 }), Some("model_not_found")),
        (json!({ "status": 413 }), Some("request_too_large")),
    ]);
    faults
}

#[tokio::test]
async fn five_hundred_sequences_of_faults() {
    let seed = std::env::var("HIVE_FAULT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    println!("HIVE_FAULT_SEED={seed}");
    let (mut dice, kinds) = (Dice(seed), faults());
    let (mut script, mut ends) = (Vec::new(), Vec::new());
    for number in 0..SEQUENCES {
        let mut end = None;
        for _ in 0..dice.below(4) {
            // Those that end a task are rarer.
            let pick = dice.below(kinds.len() * 3);
            let (fault, ends_by) = &kinds[if pick < kinds.len() { pick } else { pick % 14 }];
            script.push(json!({
                "name": format!("{number} {fault}"), "when": { "first_text": format!("Task: s{number}\n") },
                // A reply that may be torn in the middle of its call.
                "tools": [finish("Torn.")], "times": 1, "fault": fault,
            }));
            if fault.get("delay_ms").is_some() {
                // It answers, only later.
                break;
            }
            if ends_by.is_some() {
                end = *ends_by;
                break;
            }
        }
        ends.push(end);
    }
    script.push(json!({ "name": "well", "say": "Done." }));
    let hive = TestHive::builder()
        .script(rules(json!(script)))
        .workers(2)
        .slots(24)
        // So long that a busy machine does not take an answer for silence.
        .worker_env("HIVE_CLAUDE_IDLE_SECONDS", "3")
        .worker_env("HIVE_CLAUDE_RETRY_SECONDS", "0.01")
        .worker_env("HIVE_CLAUDE_PARK_SECONDS", "0.2")
        .worker_env("HIVE_BREAKER_FAILURES", "10000")
        .worker_env("HIVE_REPEATS_PERCENT", "10000")
        .start()
        .await;
    let tasks: Vec<Value> = (0..SEQUENCES).map(|n| json!({ "title": format!("s{n}") })).collect();
    let (status, answer) = hive.post("/api/v1/tasks/bulk", &json!({ "tasks": tasks })).await;
    assert!(status < 300, "{answer:#}");
    let all_ended = async || {
        let open = "SELECT count(*) FROM tasks WHERE status NOT IN ('succeeded', 'failed', 'dead', 'cancelled') \
                    AND id <> $1";
        (hive.count(open, uuid::Uuid::nil()).await == 0).then_some(())
    };
    within(Duration::from_secs(240), "all sequences end", all_ended).await;

    for (number, end) in ends.iter().enumerate() {
        let (id, status, reason, attempt): (uuid::Uuid, String, Option<String>, i32) = sqlx::query_as(
            "SELECT id, status::text, status_reason::text, attempt FROM tasks WHERE title = $1",
        )
        .bind(format!("s{number}"))
        .fetch_one(&hive.pool)
        .await
        .unwrap();
        if hive.event_kinds(id).await.iter().any(|kind| kind == "task.orphaned") {
            // A machine that stood still: the fault met a run that had lost its lease.
            continue;
        }
        let expected = if end.is_some() { "failed" } else { "succeeded" };
        let calls: Vec<(String, Option<String>)> =
            sqlx::query_as("SELECT state::text, error FROM llm_calls WHERE task_id = $1 ORDER BY id")
                .bind(id)
                .fetch_all(&hive.pool)
                .await
                .unwrap();
        assert_eq!(
            (status.as_str(), reason.as_deref()),
            (expected, *end),
            "seed {seed}, sequence {number}: {calls:#?}"
        );
        assert_eq!(attempt, 1, "seed {seed}, sequence {number} burnt an attempt");
        // Of a reply that was torn as much is booked as may have been charged, of every other as much as was.
        let is_torn =
            hive.calls(id).iter().any(|call| call.cut) || calls.iter().any(|call| call.0 != "answered");
        if !is_torn {
            assert_eq!(hive.booked(id).await, hive.charged(id), "seed {seed}, sequence {number}");
        }
        hive.assert_charges_covered(id).await;
    }
    // Cut within its input or before its end, the call of a reply must not run. One that came late was whole.
    let torn = "SELECT count(*) FROM steps s JOIN tasks t ON t.id = s.task_id \
                WHERE s.kind = 'tool_results' AND s.task_id <> $1 AND NOT EXISTS \
                (SELECT 1 FROM llm_calls c WHERE c.task_id = s.task_id AND c.state = 'answered')";
    assert_eq!(hive.count(torn, uuid::Uuid::nil()).await, 0, "seed {seed}: a torn call ran");
    // The limit of 3 s without content, a second, and what a place at the gate and a slow machine take.
    let slow =
        "SELECT count(*) FROM llm_calls WHERE task_id <> $1 AND finished_at - created_at > interval '8 s'";
    assert_eq!(hive.count(slow, uuid::Uuid::nil()).await, 0, "seed {seed}: a call hung");
}
