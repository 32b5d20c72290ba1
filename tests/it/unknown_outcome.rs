//! A call with an effect outside of the workspace that a crash cut in the middle: nobody guesses what came of it.

use std::time::Duration;

use hive_tests::{Receiver, Reception, TestHive, answer, finish, rules, within, write};
use serde_json::{Value, json};
use uuid::Uuid;

fn notify(text: &str) -> Value {
    json!({ "name": "notify_person", "input": { "text": text } })
}

/// Tells the person in a turn that also writes a file, and ends when the call's result is read.
fn script() -> hive_double::Script {
    let ends = |name: &str, result: &str| {
        json!({ "name": name, "tools": [finish(name)],
                "when": { "turn": 1, "first_text": "Notify", "last_result": result } })
    };
    rules(json!([
        answer(
            "Notify",
            0,
            json!([write("before", "1\n"), notify("The build is red."), write("after", "2\n")])
        ),
        ends("heard", "Ada was told by telephone"),
        ends("taken", "the receiver took it"),
        ends("refused", "the receiver refused it"),
        ends("off", "nobody is configured"),
    ]))
}

async fn post(hive: &TestHive) -> Uuid {
    let repo = hive.repo(&Uuid::now_v7().to_string(), &[("README", "Notify.\n")]);
    hive.post_task(json!({ "title": "Notify", "agent_type": "devops", "repository": repo.json() })).await
}

async fn seen(receiver: &Receiver, count: usize) {
    let what = format!("{count} notifications");
    within(Duration::from_secs(40), &what, async || (receiver.seen().len() >= count).then_some(())).await;
}

async fn decide(hive: &TestHive, id: Uuid, body: &Value) -> (u16, Value) {
    hive.post(&format!("/api/v1/tasks/{id}/outcome"), body).await
}

#[tokio::test]
async fn a_call_that_a_kill_cut_waits_for_a_persons_word() {
    let receiver = Receiver::start(&[Reception::Hold, Reception::Hold]).await;
    let builder = TestHive::builder().script(script()).worker_env("HIVE_NOTIFY_URL", &receiver.url);
    let mut hive = builder.start().await;
    let (done, not_done) = (post(&hive).await, post(&hive).await);
    seen(&receiver, 2).await;
    assert_eq!(decide(&hive, done, &json!({ "outcome": "not_done" })).await.1["code"], "no_outcome_asked");
    hive.workers[0].kill9();
    hive.start_worker().await;
    for id in [done, not_done] {
        let task = hive.wait_status(id, 60, "waiting").await;
        assert_eq!(task["status_reason"], "outcome_unknown", "{task:#}");
        assert!(task["status_detail"].as_str().unwrap().contains("notify_person"), "{task:#}");
        assert_eq!(hive.step_kinds(id).await, ["reply", "intent"]);
    }
    assert_eq!(receiver.seen().len(), 2, "nobody guessed");
    for (body, field) in [
        (json!({ "outcome": "done" }), "/result"),
        (json!({ "outcome": "not_done", "result": "x" }), "/result"),
        (json!({ "outcome": "perhaps" }), "/outcome"),
    ] {
        let (status, problem) = decide(&hive, done, &body).await;
        assert!([400, 422].contains(&status), "{problem:#}");
        assert_eq!(problem["errors"][0]["pointer"], field, "{problem:#}");
    }

    let said = json!({ "outcome": "done", "result": "Ada was told by telephone." });
    assert_eq!(decide(&hive, done, &said).await.0, 200);
    assert_eq!(hive.wait_succeeded(done, 40).await["result"]["summary"], "heard");
    assert_eq!(receiver.seen().len(), 2, "it was not sent again");
    assert_eq!(decide(&hive, done, &said).await.0, 409);
    let kinds = hive.step_kinds(done).await;
    assert_eq!(kinds, ["reply", "intent", "outcome", "tool_results", "reply", "tool_results"]);

    assert_eq!(decide(&hive, not_done, &json!({ "outcome": "not_done" })).await.0, 200);
    assert_eq!(hive.wait_succeeded(not_done, 40).await["result"]["summary"], "taken");
    let of = |id: Uuid| {
        let seen = receiver.seen().into_iter().filter(move |one| one.body["task_id"] == id.to_string());
        seen.map(|one| one.key).collect::<Vec<_>>()
    };
    let keys = of(not_done);
    assert_eq!((of(done).len(), keys.len()), (1, 2));
    assert_eq!(keys[0], keys[1], "the same call has the same key");
    assert!(keys[0].starts_with(&format!("{not_done}.1.toolu_")), "{}", keys[0]);
    for id in [done, not_done] {
        assert_eq!(hive.calls(id).len(), 2, "no paid call is repeated");
        hive.assert_whole(id).await;
    }
}

#[tokio::test]
async fn a_receiver_that_takes_a_key_once_is_called_again() {
    let plan = [Reception::Hold, Reception::Status(503), Reception::Later(429, 1)];
    let receiver = Receiver::start(&plan).await;
    let builder = TestHive::builder().script(script()).worker_env("HIVE_NOTIFY_URL", &receiver.url);
    let mut hive = builder.worker_env("HIVE_NOTIFY_IDEMPOTENT", "true").start().await;
    let id = post(&hive).await;
    seen(&receiver, 1).await;
    hive.workers[0].kill9();
    hive.start_worker().await;
    assert_eq!(hive.wait_succeeded(id, 90).await["result"]["summary"], "taken");
    let keys: Vec<String> = receiver.seen().into_iter().map(|one| one.key).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    let waits = "SELECT count(*) FROM events WHERE task_id = $1 AND kind = 'task.waiting'
                 AND data->>'error_class' = 'notify' AND (data->>'attempt')::int = 1";
    assert_eq!(hive.count(waits, id).await, 1, "the unconfirmed try is on record with its class");
    assert_eq!(hive.calls(id).len(), 2);
    hive.assert_whole(id).await;
}

#[tokio::test]
async fn refusals_and_a_missing_receiver_are_told_to_the_agent() {
    let receiver = Receiver::start(&[Reception::Status(400)]).await;
    let builder = TestHive::builder().script(script()).worker_env("HIVE_NOTIFY_URL", &receiver.url);
    let hive = builder.start().await;
    let id = post(&hive).await;
    assert_eq!(hive.wait_succeeded(id, 40).await["result"]["summary"], "refused");
    assert_eq!(receiver.seen()[0].body["text"], "The build is red.");
    let hive = TestHive::builder().script(script()).start().await;
    let id = post(&hive).await;
    assert_eq!(hive.wait_succeeded(id, 40).await["result"]["summary"], "off");
    assert_eq!(
        hive.step_kinds(id).await,
        ["reply", "tool_results", "reply", "tool_results"],
        "nothing was begun"
    );
}
