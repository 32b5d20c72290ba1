//! A fork shares what happened, and pays for nothing of it.

use hive_domain::{
    Limits, NanoUsd, TaskId, TaskStatus, Usage,
    journal::{Entry, Intent, Reply, Stop, ToolResult, ToolResults},
    task::{Performer, Repository},
};
use hive_store::{Error, NewFork, NewStep};
use serde_json::value::RawValue;

use crate::bed::{Bed, outcome};

const USAGE: Usage = Usage {
    input_tokens: 100,
    output_tokens: 20,
    cache_read_tokens: 3,
    cache_write_tokens: 4,
    cache_write_1h_tokens: 0,
    cost: NanoUsd(5_000),
};
/// Bytes that must come back as they are.
const CALL: &str = r#"[ {"type":"tool_use","name":"shell","id":"t1","input":{"z":1.0,"a":1e2}} ]"#;

fn reply(content: &str) -> Entry {
    Entry::Reply(Reply {
        content: RawValue::from_string(content.to_owned()).unwrap(),
        stop: Stop::ToolUse,
        model: "claude".to_owned(),
        requested_model: None,
        usage: USAGE,
        broken_inputs: std::collections::BTreeMap::new(),
        request_id: None,
        exchange: None,
    })
}

fn results() -> Entry {
    let result = ToolResult {
        tool_use_id: "t1".to_owned(),
        tool: "shell".to_owned(),
        content: "done".to_owned(),
        is_error: false,
        artifact: None,
        recalled: None,
    };
    Entry::ToolResults(ToolResults { results: vec![result], finished: None, wake_at: None })
}

/// Three turns with a commit each: steps 1 to 6, then an intent.
pub(crate) async fn original(bed: &Bed) -> TaskId {
    let id = bed
        .enqueue_with(|new| {
            let (url, base_ref) = ("file:///srv/shop.git".to_owned(), "main".to_owned());
            new.repository = Some(Repository { url, base_ref, base_commit: "base".to_owned() });
        })
        .await;
    let mut lease = bed.claim(id).await;
    for turn in 1..=3 {
        bed.store.append(&mut lease, &NewStep::plain(&reply(CALL))).await.unwrap();
        let commit = format!("commit-{turn}");
        let entry = results();
        let step = NewStep { commit: Some(&commit), ..NewStep::plain(&entry) };
        bed.store.append(&mut lease, &step).await.unwrap();
    }
    let intent = Intent { tool_use_id: "t9".to_owned(), tool: "notify_person".to_owned() };
    bed.store.append(&mut lease, &NewStep::plain(&Entry::Intent(intent))).await.unwrap();
    bed.store.put_artifact(id, 1, "step-2-t1", "text/plain", b"long").await.unwrap();
    bed.store.put_artifact(id, 1, "step-6-t1", "text/plain", b"longer").await.unwrap();
    bed.store.put_artifact(id, 1, "diff", "text/plain", b"diff").await.unwrap();
    id
}

pub(crate) fn fork(from: TaskId, at: i32) -> NewFork {
    NewFork {
        id: TaskId::new(),
        from,
        at,
        title: None,
        description: None,
        model: None,
        limits: None,
        messages: Vec::new(),
        created_by: "ada".to_owned(),
    }
}

async fn stored_steps(bed: &Bed, id: TaskId, count: i64) -> Vec<(i32, String, Option<String>)> {
    let steps = bed.store.steps(id, 0, count).await.unwrap();
    steps.into_iter().map(|step| (step.seq, step.entry.body().unwrap(), step.commit)).collect()
}

#[tokio::test]
async fn a_fork_begins_after_the_shared_step_and_owes_nothing() {
    let bed = Bed::make().await;
    let from = original(&bed).await;
    let before = bed.rows(from).await;
    let limits = Limits { max_turns: Some(7), ..Limits::default() };
    let new = NewFork {
        title: Some("Another way".to_owned()),
        model: Some("hard".to_owned()),
        limits: Some(limits.clone()),
        messages: vec!["Try the other way.".to_owned()],
        ..fork(from, 4)
    };
    let task = bed.store.fork(&new).await.unwrap();
    assert_eq!(bed.rows(from).await, before, "the original is not touched");
    assert_eq!((task.id, task.status, task.epoch, task.attempt), (new.id, TaskStatus::Ready, 0, 0));
    assert_eq!((task.forked_from, task.usage), (Some((from, 4)), Usage::default()));
    assert_eq!(
        (task.title.as_str(), task.model.as_deref(), task.limits),
        ("Another way", Some("hard"), limits)
    );
    let repository = task.repository.unwrap();
    assert_eq!(
        (repository.base_ref, repository.base_commit),
        (format!("hive/{from}"), "commit-2".to_owned())
    );
    let [agent, its_agent] = [task.agent.unwrap(), bed.task(from).await.agent.unwrap()];
    assert_eq!((agent.id, agent.version), (its_agent.id, its_agent.version));

    assert_eq!(stored_steps(&bed, task.id, 10).await, stored_steps(&bed, from, 4).await, "byte for byte");
    let shared = bed.store.steps(task.id, 0, 10).await.unwrap();
    assert!(shared.iter().all(|step| step.epoch == 0), "no run of the fork wrote them");
    assert_eq!(bed.number(&format!("SELECT count(*) FROM llm_calls WHERE task_id = '{}'", task.id)).await, 0);
    assert_eq!(bed.store.artifact(task.id, "step-2-t1").await.unwrap().1, b"long");
    for name in ["step-6-t1", "diff"] {
        assert!(matches!(bed.store.artifact(task.id, name).await, Err(Error::NotFound { .. })), "{name}");
    }
    let [event] = bed.events(task.id).await.try_into().unwrap();
    assert_eq!((event.kind.as_str(), &event.data["forked_at"]), ("task.created", &4.into()));

    let mut lease = bed.claim(task.id).await;
    assert_eq!(lease.next_seq(), 5);
    assert_eq!(
        match bed.store.read_messages(&mut lease, &hive_store::Undo::Nothing).await.unwrap() {
            hive_store::Reading::Read(entries) => entries.len(),
            hive_store::Reading::WantsUndo => 0,
        },
        1
    );
    assert_eq!(bed.store.opener(&lease.leased).await.unwrap().id, from, "its words open the conversation");
    bed.store.append(&mut lease, &NewStep::plain(&reply("[]"))).await.unwrap();
    assert_eq!(bed.task(task.id).await.usage, USAGE, "only its own reply is charged");

    let again = bed.store.fork(&fork(task.id, 6)).await.unwrap();
    assert_eq!(again.forked_from, Some((task.id, 6)));
    assert_eq!(bed.store.opener(&again).await.unwrap().id, from);
    let repository = again.repository.unwrap();
    assert_eq!(repository.base_commit, "commit-2");
    assert_eq!(repository.base_ref, format!("hive/{from}"), "where that commit lies");
}

#[tokio::test]
async fn a_step_without_files_begins_at_the_base() {
    let bed = Bed::make().await;
    let from = bed.enqueue().await;
    let mut lease = bed.claim(from).await;
    bed.append_note(&mut lease, "a word").await;
    bed.settle_with(&lease, &outcome("fail")).await;
    let task = bed.store.fork(&fork(from, 1)).await.unwrap();
    assert_eq!((task.repository, task.status), (None, TaskStatus::Ready), "what ended can be forked");
}

#[tokio::test]
async fn places_that_no_fork_can_begin_after_are_refused() {
    let bed = Bed::make().await;
    let from = original(&bed).await;
    let tasks = bed.number("SELECT count(*) FROM tasks").await;
    for (at, says) in
        [(8, "no step 8"), (3, "between a reply"), (5, "between a reply"), (7, "between a reply")]
    {
        let refused = bed.store.fork(&fork(from, at)).await;
        let Err(Error::Invalid { field: "/from_step", message }) = refused else { panic!("{refused:?}") };
        assert!(message.contains(says), "{message}");
    }
    assert!(matches!(bed.store.fork(&fork(TaskId::new(), 1)).await, Err(Error::NotFound { .. })));
    let duty = bed
        .enqueue_with(|new| {
            new.performer = Performer::Noop;
            new.acceptance.clear();
        })
        .await;
    let refused = bed.store.fork(&fork(duty, 1)).await;
    assert!(matches!(refused, Err(Error::Conflict { code: "nothing_to_fork", .. })), "{refused:?}");
    assert_eq!(bed.number("SELECT count(*) FROM tasks").await, tasks + 1, "nothing is left behind");
}

#[tokio::test]
async fn a_fork_of_a_fork_begins_with_the_files_of_its_own_step() {
    let bed = Bed::make().await;
    let first = bed
        .enqueue_with(|new| {
            let (url, base_ref) = ("file:///srv/shop.git".to_owned(), "main".to_owned());
            new.repository = Some(Repository { url, base_ref, base_commit: "base".to_owned() });
        })
        .await;
    let mut lease = bed.claim(first).await;
    // The first turn only looks, the others change files.
    for commit in [None, Some("commit-2"), Some("commit-3")] {
        bed.store.append(&mut lease, &NewStep::plain(&reply(CALL))).await.unwrap();
        let entry = results();
        bed.store.append(&mut lease, &NewStep { commit, ..NewStep::plain(&entry) }).await.unwrap();
    }
    let base = |task: hive_domain::task::Task| {
        let repository = task.repository.unwrap();
        (repository.base_ref, repository.base_commit)
    };
    let branch = format!("hive/{first}");
    let late = bed.store.fork(&fork(first, 6)).await.unwrap();
    assert_eq!(base(bed.task(late.id).await), (branch.clone(), "commit-3".to_owned()));
    let middle = bed.store.fork(&fork(late.id, 4)).await.unwrap();
    assert_eq!(base(bed.task(middle.id).await), (branch, "commit-2".to_owned()));
    for from in [first, late.id, middle.id] {
        let early = bed.store.fork(&fork(from, 2)).await.unwrap();
        assert_eq!(base(early), ("main".to_owned(), "base".to_owned()), "nothing was committed by then");
    }
}
