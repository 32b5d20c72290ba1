//! Tasks: what is asked for is what is stored and shown.

use hive_domain::{
    Outcome, TaskStatus,
    journal::{CheckResult, DiffStat, Entry, Note, NoteCause, TaskResult},
    task::DependencyPolicy,
};
use hive_store::{Claimant, NewStep};
use serde_json::{Value, json};

use crate::hive::Hive;

#[tokio::test]
async fn a_noop_is_stored_announced_and_shown_by_another_process() {
    let hive = Hive::start().await;
    let (api, other) = (hive.api().await, hive.api().await);
    let answer = api.post("/api/v1/tasks", json!({ "title": "Probe", "duty": "noop", "priority": 2 })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.body["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/tasks/{id}"));

    let stored = hive.store.task(id.parse().unwrap()).await.unwrap();
    assert_eq!(stored.status, TaskStatus::Ready);
    assert_eq!((stored.duty.as_deref(), stored.priority.get()), (Some("noop"), 2));
    assert_eq!(hive.queue.depth().await.unwrap(), [1, 0, 0, 0, 0], "one ticket in the urgent lane");

    let shown = other.get(answer.header("location")).await;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.body, answer.body);
    assert_eq!(shown.body["run"], Value::Null);
    assert_eq!(shown.body["agent"], Value::Null);
}

#[tokio::test]
async fn every_field_is_kept() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let agent = hive.agent("backend", "Ada").await;
    let (url, commit) = hive.repository();
    let first = api.task(json!({ "title": "First", "duty": "noop" })).await;
    let body = json!({
        "title": "Fix the failing test", "description": "It fails.", "agent_id": agent, "priority": 3,
        "dependencies": [first, first], "on_dependency_failure": "continue",
        "repository": { "url": url, "base_ref": "main" },
        "acceptance": [{ "name": "tests", "command": "true", "timeout_seconds": 7 }, { "command": "exit 0" }],
        "context": { "ticket": { "n": 1 } }, "labels": { "team": "a" }, "run_at": "2020-02-29T10:00:00+02:00",
        "max_attempts": 9, "limits": { "max_turns": 5, "max_cost_usd": null, "max_tokens": 1000 }, "model": "hard",
        "deadline": "2999-01-01T00:00:00Z", "parent_id": first, "concurrency_key": "shop",
    });
    let answer = api.post("/api/v1/tasks", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.body["id"].as_str().unwrap().parse().unwrap();

    let mut expected = json!({
        "id": id, "project_id": "00000000-0000-7000-8000-000000000001",
        "title": "Fix the failing test", "description": "It fails.",
        "status": "pending", "status_reason": "dependencies", "status_detail": null,
        "agent": { "id": agent, "name": "Ada", "type": "backend", "version": 1 }, "duty": null,
        "priority": 3, "attempt": 0, "max_attempts": 9, "run": null,
        "repository": { "url": url, "base_ref": "main", "base_commit": commit },
        "acceptance": [
            { "name": "tests", "command": "true", "timeout_seconds": 7 },
            { "name": "exit 0", "command": "exit 0", "timeout_seconds": 120 },
        ],
        "context": { "ticket": { "n": 1 } }, "labels": { "team": "a" },
        "limits": { "max_turns": 5, "max_cost_usd": null, "max_tokens": 1000, "max_seconds": 1800 }, "model": "hard",
        "dependencies": [first], "on_dependency_failure": "continue", "run_at": "2020-02-29T08:00:00Z",
        "created_by": "operator", "created_at": answer.body["created_at"], "started_at": null, "completed_at": null,
        "result": null,
        "usage": { "input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cache_write_tokens": 0,
                   "cost_usd": 0.0 },
    });
    let operations = json!({
        "deadline": "2999-01-01T00:00:00Z", "session_id": null, "parent_id": first, "concurrency_key": "shop",
        "redriven_from": null, "forked_from": null, "forked_at": null, "deaths": 0, "isolated": false,
        "error_class": null,
    });
    expected.as_object_mut().unwrap().extend(operations.as_object().unwrap().clone());
    assert_eq!(answer.body, expected);
    assert_eq!(api.get(&format!("/api/v1/tasks/{id}")).await.body, expected);
    let stored = hive.store.task(id).await.unwrap();
    assert_eq!(stored.on_dependency_failure, DependencyPolicy::Continue);
    assert_eq!(stored.repository.unwrap().base_commit, commit);
    assert_eq!(hive.queue.depth().await.unwrap(), [0, 0, 1, 0, 0], "only the first task has a ticket");
}

#[tokio::test]
async fn the_default_branch_is_looked_up() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let (url, commit) = hive.repository();
    for reference in [json!({ "url": url }), json!({ "url": url, "base_ref": commit })] {
        let id = api.task(json!({ "title": "T", "repository": reference })).await;
        assert_eq!(hive.store.task(id).await.unwrap().repository.unwrap().base_commit, commit);
    }
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let agent = hive.agent("backend", "Ada").await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let labels = json!({ "even": (n % 2 == 0).to_string(), "n": n.to_string() });
        ids.push(
            api.task(json!({ "title": format!("T{n}"), "duty": "noop", "labels": labels })).await.to_string(),
        );
    }
    ids.push(api.task(json!({ "title": "Agent's", "run_at": "9000-01-01T00:00:00Z" })).await.to_string());
    hive.store.cancel(ids[1].parse().unwrap(), "test").await.unwrap();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let created = hive.store.task(ids[3].parse().unwrap()).await.unwrap().created_at.to_rfc3339();

    for (query, wanted) in [
        (String::new(), vec![5, 4, 3, 2, 1, 0]),
        ("status=cancelled".to_owned(), vec![1]),
        ("status=cancelled,pending".to_owned(), vec![5, 1]),
        ("status=cancelled&status=pending".to_owned(), vec![5, 1]),
        ("reason=scheduled".to_owned(), vec![5]),
        (format!("agent_id={agent}"), vec![5]),
        ("label=even:true".to_owned(), vec![4, 2, 0]),
        ("label=even:true&label=n:2".to_owned(), vec![2]),
        (format!("created_since={created}"), vec![5, 4, 3]),
        ("project_id=00000000-0000-7000-8000-000000000001&limit=1".to_owned(), vec![5]),
        ("project_id=00000000-0000-7000-8000-000000000002".to_owned(), vec![]),
    ] {
        let answer = api.get(&format!("/api/v1/tasks?{query}")).await;
        let found: Vec<&str> = answer.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["id"].as_str().unwrap())
            .collect();
        let wanted: Vec<&str> = wanted.into_iter().map(|n: usize| ids[n]).collect();
        assert_eq!(found, wanted, "{query}");
    }

    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = api.get(&format!("/api/v1/tasks?limit=4{cursor}")).await.body;
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ids.iter().rev().copied().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_run_is_shown_with_its_steps_result_and_diff() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let id = api.task(json!({ "title": "T" })).await;
    let path = format!("/api/v1/tasks/{id}");
    assert_eq!(api.get(&format!("{path}/steps")).await.body, json!({ "items": [], "next_cursor": null }));
    api.get(&format!("{path}/diff")).await.problem(404, "no_diff");

    let mut lease = hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    for n in 1..=3 {
        let note = Entry::Note(Note { cause: NoteCause::Cut, text: format!("note {n}") });
        let step =
            NewStep { commit: (n == 2).then_some("abc"), sandbox: Some("floor"), ..NewStep::plain(&note) };
        hive.store.append(&mut lease, &step).await.unwrap();
    }
    hive.store.put_artifact(id, lease.epoch(), "diff", "text/x-diff", b"--- a\n+++ b\n").await.unwrap();
    let check = CheckResult {
        name: "tests".to_owned(),
        command: "true".to_owned(),
        passed: true,
        exit_code: Some(0),
        milliseconds: 12,
        output: String::new(),
    };
    let result = TaskResult {
        summary: "Done.".to_owned(),
        branch: Some("hive/x".to_owned()),
        commit: Some("c".to_owned()),
        tree: Some("t".to_owned()),
        diff_stat: Some(DiffStat { files: 1, insertions: 2, deletions: 3 }),
        checks: vec![check],
    };
    hive.store.settle(&lease, &Outcome::Done(result)).await.unwrap();

    let first = api.get(&format!("{path}/steps?limit=2")).await.body;
    let run = format!("{id}.1");
    assert_eq!(first["next_cursor"], "2");
    let expected = json!({
        "seq": 2, "kind": "note", "run": run, "at": first["items"][1]["at"], "commit": "abc", "sandbox": "floor", "route": null,
        "content": { "cause": "cut", "text": "note 2" },
    });
    assert_eq!(first["items"][1], expected);
    let rest = api.get(&format!("{path}/steps?limit=2&cursor=2")).await.body;
    assert_eq!((&rest["items"][0]["seq"], &rest["next_cursor"]), (&json!(3), &Value::Null));

    let diff = api.get(&format!("{path}/diff")).await;
    assert_eq!((diff.header("content-type"), &*diff.text), ("text/x-diff; charset=utf-8", "--- a\n+++ b\n"));

    let task = api.get(&path).await.body;
    assert_eq!((&task["status"], &task["run"]), (&json!("succeeded"), &json!(run)));
    assert!(task["started_at"].is_string() && task["completed_at"].is_string());
    let expected = json!({
        "summary": "Done.", "branch": "hive/x", "commit": "c", "tree": "t",
        "diff_stat": { "files": 1, "insertions": 2, "deletions": 3 },
        "checks": [{ "name": "tests", "command": "true", "passed": true, "exit_code": 0, "milliseconds": 12,
                     "output": "" }],
    });
    assert_eq!(task["result"], expected);
}
