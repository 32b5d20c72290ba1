//! A person writes to a run at work: read once, at the right place, whatever dies meanwhile.

use std::time::{Duration, Instant};

use hive_domain::MessagePolicy;
use hive_store::{NewMessage, Store};
use hive_tests::{TestHive, answer, branch, finish, rules, shell, spoken, within};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

/// The rule for a request whose last message holds this text.
fn told(title: &str, turn: usize, text: &str, tools: &Value) -> Value {
    json!({ "name": format!("{title} told"), "tools": tools,
            "when": { "turn": turn, "first_text": title, "last_text": text } })
}

/// What all requests of a task say, oldest first.
fn bodies(hive: &TestHive, id: Uuid) -> Vec<String> {
    let ours = hive.double.requests().into_iter().filter(|request| request.user_id == Some(id.to_string()));
    ours.map(|request| spoken(&request)).collect()
}

async fn messages(hive: &TestHive, id: Uuid) -> Vec<Value> {
    hive.get(&format!("/api/v1/tasks/{id}/messages")).await["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_message_is_read_after_the_turn_in_progress() {
    let script = rules(json!([
        answer("Steer", 0, json!([shell("sleep 3; echo done > slow"), shell("echo also > second")])),
        told(
            "Steer",
            1,
            "(?s)the person you work for:.*use tabs.*and then stop",
            &json!([finish("With tabs.")])
        ),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("steer", &[("README", "Steer.\n")]);
    let id = hive.post_task(json!({ "title": "Steer", "repository": repo.json() })).await;
    hive.wait_steps(id, 20, 1).await;
    let first = hive.tell(id, "Please use tabs.", "enqueue").await;
    assert_eq!(
        (&first["number"], &first["state"], &first["step"]),
        (&json!(1), &json!("waiting"), &Value::Null)
    );
    hive.tell(id, "And then stop, and then stop.", "enqueue").await;
    let reject = json!({ "text": "x", "policy": "reject" });
    let (status, problem) = hive.post(&format!("/api/v1/tasks/{id}/messages"), &reject).await;
    assert_eq!((status, &problem["code"]), (409, &json!("task_running")));

    let task = hive.wait_succeeded(id, 40).await;
    assert_eq!(task["result"]["summary"], "With tabs.");
    let kinds = hive.step_kinds(id).await;
    assert_eq!(kinds, ["reply", "tool_results", "message", "message", "reply", "tool_results"]);
    assert_eq!(repo.files(&branch(id)), ["README", "second", "slow"], "the turn ran to its end");
    let read: Vec<Value> = messages(&hive, id).await.iter().map(|m| json!([m["state"], m["step"]])).collect();
    assert_eq!(read, [json!(["read", 3]), json!(["read", 4])]);
    let [before, after] = bodies(&hive, id).try_into().unwrap();
    assert!(after.starts_with(&before), "the next request begins with the bytes of the last");

    let late = hive.post(&format!("/api/v1/tasks/{id}/messages"), &json!({ "text": "Too late." })).await;
    assert_eq!((late.0, &late.1["code"]), (409, &json!("task_ended")));
    hive.assert_whole(id).await;
}

#[tokio::test]
async fn an_interruption_ends_the_call_or_the_command_in_flight() {
    let mut slow = answer("Call", 0, json!([finish("Never said.")]));
    slow["delay_ms"] = json!(120_000);
    slow["times_per_user"] = json!(1);
    let script = rules(json!([
        slow,
        told("Call", 0, "now", &json!([finish("Heard.")])),
        answer("Tool", 0, json!([shell("echo begun > begun; sleep 120"), shell("echo never > never")])),
        told("Tool", 1, "now", &json!([finish("Heard.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("interrupt", &[("README", "Now.\n")]);
    let call = hive.post_task(json!({ "title": "Call", "repository": repo.json() })).await;
    let tool = hive.post_task(json!({ "title": "Tool", "repository": repo.json() })).await;
    hive.wait_asked(call, 30, 1).await;
    let tree = hive.path(&format!("data/host/workspaces/tasks/{tool}/tree/begun"));
    within(Duration::from_secs(30), "the command runs", async || tree.exists().then_some(())).await;

    let asked = Instant::now();
    for id in [call, tool] {
        hive.tell(id, "Stop that now.", "interrupt").await;
    }
    for id in [call, tool] {
        let task = hive.wait_succeeded(id, 40).await;
        assert_eq!((&task["result"]["summary"], &task["run"]), (&json!("Heard."), &json!(format!("{id}.1"))));
        assert_eq!(hive.booked(id).await, hive.charged(id));
        hive.assert_whole(id).await;
    }
    assert!(asked.elapsed() < Duration::from_secs(40), "nobody waited for what was interrupted");
    let given_up = "SELECT count(*) FROM llm_calls WHERE task_id = $1 AND state = 'unknown' \
                    AND error = 'a person interrupted the call'";
    assert_eq!((hive.count(given_up, call).await, hive.count(given_up, tool).await), (1, 0));
    assert_eq!(hive.step_kinds(call).await, ["message", "reply", "tool_results"]);
    let results = hive.steps(tool).await[1]["content"]["results"].clone();
    assert!(results[0]["content"].as_str().unwrap().starts_with("[ended by a message"), "{results:#}");
    assert!(results[1]["content"].as_str().unwrap().starts_with("not run"), "{results:#}");
    assert_eq!([&results[0]["is_error"], &results[1]["is_error"]], [true, true]);
    assert_eq!(repo.files(&branch(tool)), ["README", "begun"]);
}

#[tokio::test]
async fn a_message_outlives_the_worker_that_did_not_read_it() {
    let script = rules(json!([
        answer("Kill", 0, json!([shell("sleep 4; echo done > slow")])),
        told("Kill", 1, "survive", &json!([finish("Survived.")])),
    ]));
    let mut hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("kill", &[("README", "Kill.\n")]);
    let id = hive.post_task(json!({ "title": "Kill", "repository": repo.json() })).await;
    hive.wait_steps(id, 20, 1).await;
    hive.tell(id, "This must survive.", "enqueue").await;
    hive.workers[0].kill9();
    hive.start_worker().await;
    hive.wait_succeeded(id, 60).await;
    assert_eq!(hive.step_kinds(id).await, ["reply", "tool_results", "message", "reply", "tool_results"]);
    assert_eq!(hive.calls(id).len(), 2, "nothing was paid twice");
    assert_eq!(messages(&hive, id).await[0]["state"], "read");
    hive.assert_whole(id).await;
}

#[tokio::test]
async fn what_was_written_before_the_start_is_read_first() {
    let script = rules(json!([told("Early", 0, "mind the gap", &json!([finish("Minded.")]))]));
    let mut hive = TestHive::builder().script(script).workers(0).start().await;
    let id = hive.post_task(json!({ "title": "Early" })).await;
    hive.tell(id, "Please mind the gap.", "reject").await;
    for (body, field) in [
        (json!({ "text": " " }), "/text"),
        (json!({ "text": "x".repeat(32_001) }), "/text"),
        (json!({ "text": "x", "policy": "shout" }), "/policy"),
        (json!({ "text": "x", "volume": 11 }), "/volume"),
    ] {
        let (status, problem) = hive.post(&format!("/api/v1/tasks/{id}/messages"), &body).await;
        assert!([400, 422].contains(&status), "{problem:#}");
        assert_eq!(problem["errors"][0]["pointer"], field, "{problem:#}");
    }
    let nobody =
        hive.post(&format!("/api/v1/tasks/{}/messages", Uuid::now_v7()), &json!({ "text": "x" })).await;
    assert_eq!(nobody.0, StatusCode::NOT_FOUND.as_u16());
    hive.start_worker().await;
    hive.wait_succeeded(id, 30).await;
    assert_eq!(hive.step_kinds(id).await, ["message", "reply", "tool_results"]);
}

#[tokio::test]
async fn an_interruption_whose_nudge_was_lost_is_found() {
    let mut slow = answer("Lost", 0, json!([finish("Never said.")]));
    slow["delay_ms"] = json!(120_000);
    slow["times_per_user"] = json!(1);
    let script = rules(json!([slow, told("Lost", 0, "now", &json!([finish("Heard.")]))]));
    let hive = TestHive::builder().script(script).start().await;
    let id = hive.post_task(json!({ "title": "Lost" })).await;
    hive.wait_asked(id, 30, 1).await;
    // Past the door, which would tell the worker.
    let store = Store::connect_lazy(&hive_store::Config::new(hive.store_urls()[0].clone())).unwrap();
    let new = NewMessage { text: "Stop that now.", policy: MessagePolicy::Interrupt, author: "ada" };
    store.send_message(id.into(), &new).await.unwrap();
    store.close().await;
    let task = hive.wait_succeeded(id, 60).await;
    assert_eq!((&task["result"]["summary"], &task["run"]), (&json!("Heard."), &json!(format!("{id}.1"))));
}
