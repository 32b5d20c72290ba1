//! What a person says to a task that exists: words, where to begin anew, what came of a call.

use std::time::Duration;

use hive_domain::{
    Outcome, StatusReason, TaskStatus,
    journal::{Entry, Intent, Note, NoteCause},
};
use hive_queue::Notice;
use hive_store::{Claimant, NewStep};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::hive::{Hive, eventually};

fn note(text: &str) -> Entry {
    Entry::Note(Note { cause: NoteCause::Empty, text: text.to_owned() })
}

#[tokio::test]
async fn a_message_is_stored_shown_and_told_to_the_worker() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let id = api.task(json!({ "title": "T" })).await;
    let mut lease = hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    let mut updates = hive.queue.subscribe(&["task_updates"]);
    assert_eq!(updates.recv().await, Notice::Gap);
    let path = format!("/api/v1/tasks/{id}/messages");
    let sent = api.post(&path, json!({ "text": "Stop.", "policy": "interrupt" })).await;
    assert_eq!(sent.status, 201, "{sent:?}");
    assert_eq!((&sent.body["number"], &sent.body["state"]), (&json!(1), &json!("waiting")));
    let notice = tokio::time::timeout(Duration::from_secs(20), updates.recv()).await.unwrap();
    let Notice::Message { payload, .. } = notice else { panic!("{notice:?}") };
    assert_eq!(
        serde_json::from_str::<Value>(&payload).unwrap(),
        json!({ "task_id": id, "message": "interrupt" })
    );
    api.post(&path, json!({ "text": "No.", "policy": "reject" })).await.problem(409, "task_running");

    hive.store.read_messages(&mut lease, &hive_store::Undo::Nothing).await.unwrap();
    api.post(&path, json!({ "text": "And go on." })).await;
    let page = api.get(&format!("{path}?limit=1")).await;
    let first = &page.body["items"][0];
    assert_eq!(
        (&first["state"], &first["step"], &first["author"]),
        (&json!("read"), &json!(1), &json!("operator"))
    );
    let rest = api.get(&format!("{path}?cursor={}", page.body["next_cursor"].as_str().unwrap())).await;
    let items = rest.body["items"].as_array().unwrap();
    assert_eq!(
        (items.len(), &items[0]["state"], &items[0]["policy"]),
        (1, &json!("waiting"), &json!("enqueue"))
    );
    assert_eq!(rest.body["next_cursor"], Value::Null);

    for (body, place) in [
        (json!({}), "/text"),
        (json!({ "text": "" }), "/text"),
        (json!({ "text": "x".repeat(32_001) }), "/text"),
        (json!({ "text": "x", "policy": "shout" }), "/policy"),
        (json!({ "text": "x", "to": "all" }), "/to"),
    ] {
        let refused = api.post(&path, body).await;
        refused.problem(422, "validation_failed");
        assert_eq!(refused.places(), [place]);
    }
    assert_eq!(hive.store.messages(id, 0, 10).await.unwrap().len(), 2, "what is refused leaves nothing");
    let nobody = format!("/api/v1/tasks/{}/messages", Uuid::now_v7());
    api.get(&nobody).await.problem(404, "task_not_found");
    api.post(&nobody, json!({ "text": "x" })).await.problem(404, "task_not_found");
}

#[tokio::test]
async fn a_message_gives_a_sleeping_task_a_ticket() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let id = api.task(json!({ "title": "T" })).await;
    let lease = hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    let (after, detail) = (Duration::from_secs(600), "asleep".to_owned());
    hive.store.settle(&lease, &Outcome::Wait { after, reason: StatusReason::Timer, detail }).await.unwrap();
    let before = hive.queue.depth().await.unwrap()[2];
    api.post(&format!("/api/v1/tasks/{id}/messages"), json!({ "text": "Wake up." })).await;
    assert_eq!(hive.store.task(id).await.unwrap().status, TaskStatus::Ready);
    eventually("a second ticket", async || {
        (hive.queue.depth().await.unwrap()[2] == before + 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_fork_is_a_task_that_names_where_it_came_from() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let id = api.task(json!({ "title": "T" })).await;
    let path = format!("/api/v1/tasks/{id}/fork");
    let mut lease = hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    hive.store.append(&mut lease, &NewStep::plain(&note("one"))).await.unwrap();
    let made = api.post(&path, json!({ "from_step": 1, "model": "hard", "message": "Go." })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let forked: hive_domain::TaskId = made.body["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(made.header("location"), format!("/api/v1/tasks/{forked}"));
    assert_eq!((&made.body["forked_from"], &made.body["forked_at"]), (&json!(id), &json!(1)));
    assert_eq!((&made.body["model"], &made.body["status"]), (&json!("hard"), &json!("ready")));
    assert_eq!(hive.store.steps(forked, 0, 10).await.unwrap().len(), 1);
    for (body, place) in [
        (json!({}), "/from_step"),
        (json!({ "from_step": 0 }), "/from_step"),
        (json!({ "from_step": 2 }), "/from_step"),
        (json!({ "from_step": 1, "model": " " }), "/model"),
        (json!({ "from_step": 1, "title": "x".repeat(256) }), "/title"),
        (json!({ "from_step": 1, "message": "" }), "/message"),
        (json!({ "from_step": 1, "limits": { "max_tokens": 0 } }), "/limits/max_tokens"),
        (json!({ "from_step": 1, "agent_id": Uuid::now_v7() }), "/agent_id"),
    ] {
        let refused = api.post(&path, body).await;
        refused.problem(422, "validation_failed");
        assert_eq!(refused.places(), [place]);
    }
    assert_eq!(hive.tasks().await.len(), 2, "what is refused leaves nothing");
    let duty = api.task(json!({ "title": "T", "duty": "noop" })).await;
    let refused = api.post(&format!("/api/v1/tasks/{duty}/fork"), json!({ "from_step": 1 })).await;
    refused.problem(409, "nothing_to_fork");
}

#[tokio::test]
async fn the_outcome_of_a_cut_call_is_said_once() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let id = api.task(json!({ "title": "T" })).await;
    let path = format!("/api/v1/tasks/{id}/outcome");
    let mut lease = hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    let intent = Intent { tool_use_id: "t1".to_owned(), tool: "notify_person".to_owned() };
    hive.store.append(&mut lease, &NewStep::plain(&Entry::Intent(intent))).await.unwrap();
    api.post(&path, json!({ "outcome": "not_done" })).await.problem(409, "no_outcome_asked");
    let (after, detail) = (Duration::MAX, "nobody knows".to_owned());
    hive.store
        .settle(&lease, &Outcome::Wait { after, reason: StatusReason::OutcomeUnknown, detail })
        .await
        .unwrap();
    for (body, place) in [
        (json!({}), "/outcome"),
        (json!({ "outcome": "maybe" }), "/outcome"),
        (json!({ "outcome": "done" }), "/result"),
        (json!({ "outcome": "done", "result": " " }), "/result"),
        (json!({ "outcome": "not_done", "result": "x" }), "/result"),
    ] {
        let refused = api.post(&path, body).await;
        refused.problem(422, "validation_failed");
        assert_eq!(refused.places(), [place]);
    }
    assert_eq!(hive.store.steps(id, 0, 10).await.unwrap().len(), 1);
    let said = json!({ "outcome": "done", "result": "It arrived." });
    let answer = api.post(&path, said.clone()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (200, &json!("ready")));
    let steps = hive.store.steps(id, 1, 10).await.unwrap();
    assert!(
        matches!(&steps[0].entry, Entry::Outcome(outcome) if outcome.content == "It arrived."),
        "{steps:?}"
    );
    api.post(&path, said).await.problem(409, "no_outcome_asked");
}
