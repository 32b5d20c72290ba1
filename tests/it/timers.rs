//! Agents that sleep hold no place, cost no attempt, and go on when the time has come.

use hive_tests::{TestHive, answer, finish, rules, say, shell};
use serde_json::{Value, json};

fn wait(seconds: u64) -> Value {
    json!({ "name": "wait", "input": { "seconds": seconds } })
}

#[tokio::test]
async fn twenty_that_sleep_do_not_keep_a_new_one_from_starting() {
    const ASLEEP: usize = 20;
    let script = rules(json!([
        answer("Sleeper", 0, json!([wait(600)])),
        answer("Sleeper", 1, json!([finish("Slept.")])),
        say("Fresh", 0, "Done."),
    ]));
    let hive = TestHive::builder().script(script).slots(2).start().await;
    let mut asleep = Vec::new();
    for number in 0..ASLEEP {
        asleep.push(hive.post_task(json!({ "title": format!("Sleeper {number}"), "max_attempts": 1 })).await);
    }
    for id in &asleep {
        let task = hive.wait_status(*id, 60, "waiting").await;
        assert_eq!(
            (&task["status"], &task["status_reason"]),
            (&json!("waiting"), &json!("timer")),
            "{task:#}"
        );
        assert_eq!(task["attempt"], 0, "a sleep costs no attempt");
        let wait = "SELECT extract(epoch FROM run_at - updated_at)::bigint FROM tasks WHERE id = $1";
        assert!((580..=600).contains(&hive.count(wait, *id).await));
    }
    let fresh = hive.post_task(json!({ "title": "Fresh" })).await;
    hive.wait_succeeded(fresh, 20).await;
    let late = "SELECT (extract(epoch FROM started_at - created_at) * 1000)::bigint FROM tasks WHERE id = $1";
    let late = hive.count(late, fresh).await;
    assert!(late < 1_000, "it started after {late} ms");

    hive.tell(asleep[0], "Wake up.", "enqueue").await;
    hive.wait_succeeded(asleep[0], 20).await;
    assert_eq!(
        hive.step_kinds(asleep[0]).await,
        ["reply", "tool_results", "message", "reply", "tool_results"]
    );
    for id in asleep.drain(1..) {
        hive.cancel(id).await;
    }
}

#[tokio::test]
async fn a_nap_ends_by_itself_and_waiting_between_equal_looks_is_no_circle() {
    const LOOKS: usize = 6;
    let mut script = vec![
        answer("Bad", 0, json!([wait(0), { "name": "wait", "input": { "until": "2001-01-01T00:00:00Z" } }])),
        answer("Bad", 1, json!([finish("Understood.")])),
    ];
    for look in 0..LOOKS {
        script.push(answer("Poll", 2 * look, json!([shell("echo pending")])));
        script.push(answer("Poll", 2 * look + 1, json!([wait(1)])));
    }
    script.push(json!({
        "name": "woken", "when": { "turn": 2 * LOOKS, "first_text": "Poll", "last_text": "^The wait is over: it is 20" },
        "tools": [finish("It never came.")],
    }));
    let hive = TestHive::builder().script(rules(json!(script))).start().await;
    let repo = hive.repo("poll", &[("README", "Poll.\n")]);
    let bad = hive.post_task(json!({ "title": "Bad" })).await;
    let id = hive.post_task(json!({ "title": "Poll", "repository": repo.json(), "max_attempts": 1 })).await;
    hive.wait_succeeded(bad, 30).await;
    let results = hive.steps(bad).await[1]["content"]["results"].clone();
    for (result, says) in [(&results[0], "1 to 604800"), (&results[1], "passed already")] {
        assert_eq!(result["is_error"], true);
        assert!(result["content"].as_str().unwrap().contains(says), "{result:#}");
    }

    hive.wait_succeeded(id, 90).await;
    assert_eq!(hive.calls(id).len(), 2 * LOOKS + 1);
    let kinds = hive.step_kinds(id).await;
    let look = ["reply", "tool_results", "reply", "tool_results", "note"].repeat(LOOKS);
    assert_eq!(kinds, [look, vec!["reply", "tool_results"]].concat());
    let slept = "SELECT count(*) FROM steps r JOIN steps n ON n.task_id = r.task_id AND n.seq = r.seq + 1
                 WHERE r.task_id = $1 AND n.kind = 'note' AND n.created_at >= (r.body->>'wake_at')::timestamptz";
    assert_eq!(hive.count(slept, id).await, i64::try_from(LOOKS).unwrap(), "no nap ended early");
    hive.assert_whole(id).await;
}
