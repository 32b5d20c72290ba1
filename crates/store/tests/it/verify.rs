//! What `hive verify` looks for is found when it is there, and nothing is found when all is whole.

use std::collections::BTreeMap;

use hive_domain::{
    Outcome, TaskId, Usage,
    journal::{Entry, Reply, Stop, ToolResult, ToolResults},
    money::NanoUsd,
    task::DependencyPolicy,
};
use hive_store::{
    CallOutcome, NewStep,
    verify::{Checked, Scope},
};
use serde_json::value::RawValue;

use crate::bed::{Bed, outcome};

const SCOPE: Scope = Scope::Recent { ended: 100 };

fn usage(tokens: i64) -> Usage {
    Usage {
        input_tokens: tokens,
        output_tokens: 7,
        cache_read_tokens: 3,
        cache_write_tokens: 2,
        cache_write_1h_tokens: 0,
        cost: NanoUsd(tokens * 100),
    }
}

fn reply(tokens: i64) -> Entry {
    Entry::Reply(Reply {
        content: RawValue::from_string("[]".to_owned()).unwrap(),
        stop: Stop::ToolUse,
        model: "claude".to_owned(),
        requested_model: None,
        usage: usage(tokens),
        broken_inputs: BTreeMap::new(),
        request_id: None,
        exchange: None,
    })
}

fn results() -> Entry {
    let result = ToolResult {
        tool_use_id: "t".to_owned(),
        tool: "shell".to_owned(),
        content: "0".to_owned(),
        is_error: false,
        artifact: None,
        recalled: None,
    };
    Entry::ToolResults(ToolResults { results: vec![result], finished: None, wake_at: None })
}

/// A task as an agent leaves it: a failed call, two replies with results between, done.
async fn done_task(bed: &Bed) -> TaskId {
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let store = &bed.store;
    let failed = store.begin_call(&lease, "claude", b"x").await.unwrap().unwrap();
    let outcome = CallOutcome { error: "cut".to_owned(), request_id: None, usage: Some(usage(5)) };
    store.fail_call(&lease, failed, &outcome).await.unwrap();
    for tokens in [11, 13] {
        let call = store.begin_call(&lease, "claude", b"x").await.unwrap().unwrap();
        let entry = reply(tokens);
        let step = NewStep { call: Some(call), ..NewStep::plain(&entry) };
        store.append(&mut lease, &step).await.unwrap();
        store.append(&mut lease, &NewStep::plain(&results())).await.unwrap();
    }
    bed.settle_with(&lease, &crate::bed::outcome("done")).await;
    id
}

/// A task whose worker was killed in a call, and which another is running now.
async fn taken_over(bed: &Bed) -> TaskId {
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    bed.append_note(&mut lease, "one").await;
    bed.store.begin_call(&lease, "claude", b"x").await.unwrap().unwrap();
    bed.orphan(id).await;
    let mut lease = bed.claim(id).await;
    bed.append_note(&mut lease, "two").await;
    id
}

async fn found(bed: &Bed) -> Vec<Checked> {
    let mut checked = bed.store.verify(SCOPE).await.expect("the checks run");
    checked.retain(|check| check.found > 0);
    checked
}

#[tokio::test]
async fn nothing_is_found_where_all_is_whole() {
    let bed = Bed::make().await;
    let done = done_task(&bed).await;
    taken_over(&bed).await;
    for (name, outcome) in crate::bed::outcomes() {
        let id = bed.enqueue().await;
        bed.settle(id, &outcome).await;
        let child = bed.enqueue_after(&[id, done], DependencyPolicy::Fail).await;
        if name == "done" {
            bed.reconcile().await;
            bed.reconcile().await;
            bed.settle(child, &crate::bed::outcome("done")).await;
        }
    }
    let cancelled = bed.enqueue().await;
    bed.claim(cancelled).await;
    bed.store.cancel(cancelled, "ada").await.unwrap();
    let failed = bed.enqueue().await;
    bed.settle(failed, &outcome("fail")).await;
    bed.store.request_completion(failed, "ada").await.unwrap();
    bed.settle(failed, &outcome("done")).await;
    let ignores = bed.enqueue_after(&[cancelled], DependencyPolicy::Continue).await;
    bed.reconcile().await;
    bed.reconcile().await;
    bed.settle(ignores, &outcome("done")).await;
    bed.reconcile().await;

    assert_eq!(found(&bed).await.iter().map(|check| check.name).collect::<Vec<_>>(), [""; 0]);
    for scope in [SCOPE, Scope::All] {
        for check in bed.store.verify(scope).await.unwrap() {
            assert_eq!(check.found, 0, "{}: {:?}", check.name, check.violations);
            assert!(check.looked_at > 0, "{} looked at nothing", check.name);
        }
    }
}

/// Which task a violation is planted in.
#[derive(Clone, Copy)]
enum In {
    Done,
    Running,
    Ready,
    Waiting,
    /// Waits for a task that is done.
    Child,
}

/// The check that must find it, the task it is planted in, and how; `$id` is the task, `$parent` what it waits for.
const PLANTED: &[(&str, In, &str)] = &[
    ("lost_task", In::Waiting, "UPDATE tasks SET status_reason = 'requested' WHERE id = $id"),
    ("lost_task", In::Ready, "UPDATE tasks SET status = 'pending', status_reason = 'retry' WHERE id = $id"),
    ("overdue_task", In::Waiting, "UPDATE tasks SET run_at = now() - interval '2 min' WHERE id = $id"),
    ("ghost_run", In::Running, "UPDATE tasks SET lease_until = now() - interval '6 s' WHERE id = $id"),
    ("endless_lease", In::Running, "UPDATE tasks SET lease_until = now() + interval '1 day' WHERE id = $id"),
    ("step_gap", In::Running, "DELETE FROM steps WHERE task_id = $id AND seq = 1"),
    ("step_gap", In::Running, "UPDATE tasks SET next_seq = next_seq + 1 WHERE id = $id"),
    (
        "double_step",
        In::Running,
        "ALTER TABLE steps DROP CONSTRAINT steps_pkey;
         INSERT INTO steps SELECT * FROM steps WHERE task_id = $id AND seq = 1",
    ),
    (
        "step_after_takeover",
        In::Running,
        "UPDATE steps SET epoch = 3 - epoch WHERE task_id = $id",
    ),
    ("step_beyond_fence", In::Done, "UPDATE steps SET epoch = epoch + 1 WHERE task_id = $id AND kind = 'tool_results' AND seq = 4"),
    (
        "results_without_question",
        In::Running,
        "UPDATE steps SET kind = 'tool_results' WHERE task_id = $id AND seq = 2",
    ),
    (
        "double_charge",
        In::Done,
        "INSERT INTO llm_calls (id, task_id, seq, epoch, model, request_sha256, state, finished_at, input_tokens,
                                output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd)
         SELECT gen_random_uuid(), task_id, seq, epoch, model, request_sha256, state, finished_at, input_tokens,
                output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd
         FROM llm_calls WHERE task_id = $id AND state = 'answered' LIMIT 1;
         UPDATE tasks SET input_tokens = s.i, output_tokens = s.o, cache_read_tokens = s.r, cache_write_tokens = s.w,
                          cost_nano_usd = s.c
         FROM (SELECT sum(input_tokens) i, sum(output_tokens) o, sum(cache_read_tokens) r, sum(cache_write_tokens) w,
                      sum(cost_nano_usd) c FROM llm_calls WHERE task_id = $id) s WHERE id = $id",
    ),
    ("answer_without_step", In::Running, "UPDATE llm_calls SET state = 'answered', finished_at = now() WHERE task_id = $id"),
    ("reply_without_call", In::Running, "UPDATE steps SET kind = 'reply' WHERE task_id = $id AND seq = 1"),
    (
        "usage_differs",
        In::Done,
        "UPDATE llm_calls SET output_tokens = output_tokens + 1 WHERE task_id = $id AND seq = 1 AND state = 'answered';
         UPDATE tasks SET output_tokens = output_tokens + 1 WHERE id = $id",
    ),
    ("ledger_sum", In::Done, "UPDATE tasks SET cost_nano_usd = cost_nano_usd - 1 WHERE id = $id"),
    // What a fork shares costs it nothing; what it does itself counts.
    (
        "ledger_sum",
        In::Done,
        "UPDATE tasks SET forked_from = $parent, forked_at = 1, cost_nano_usd = cost_nano_usd - 1 WHERE id = $id",
    ),
    (
        "open_intent",
        In::Done,
        "INSERT INTO llm_calls (id, task_id, seq, epoch, model, request_sha256)
         VALUES (gen_random_uuid(), $id, 5, 1, 'claude', 'x');
         UPDATE tasks SET created_at = created_at - interval '1 hour', started_at = started_at - interval '1 hour',
                          completed_at = completed_at - interval '1 min' WHERE id = $id",
    ),
    ("call_beyond_fence", In::Running, "UPDATE llm_calls SET epoch = 9 WHERE task_id = $id"),
    ("event_gap", In::Done, "DELETE FROM events WHERE task_id = $id AND seq = 2"),
    ("event_gap", In::Ready, "UPDATE tasks SET event_seq = event_seq + 1 WHERE id = $id"),
    ("end_without_event", In::Done, "UPDATE events SET kind = 'task.failed' WHERE task_id = $id AND kind = 'task.succeeded'"),
    (
        "start_without_event",
        In::Running,
        "UPDATE events SET data = data || '{\"epoch\": 1}' WHERE task_id = $id AND kind = 'task.started'",
    ),
    ("end_not_whole", In::Done, "UPDATE tasks SET completed_at = NULL WHERE id = $id"),
    ("end_not_whole", In::Done, "UPDATE tasks SET worker = 'a ghost' WHERE id = $id"),
    ("open_but_completed", In::Waiting, "UPDATE tasks SET completed_at = now() WHERE id = $id"),
    ("ended_before_it_began", In::Done, "UPDATE tasks SET started_at = now() + interval '1 hour' WHERE id = $id"),
    (
        "started_early",
        In::Child,
        "UPDATE tasks SET status = 'ready', status_reason = NULL, started_at = now() - interval '1 min',
                          created_at = now() - interval '2 min' WHERE id = $id",
    ),
    (
        "started_early",
        In::Child,
        "UPDATE task_dependencies SET resolved = true WHERE task_id = $id;
         UPDATE tasks SET status = 'ready', status_reason = NULL, started_at = p.ended - interval '1 s',
                          created_at = p.ended - interval '2 s'
         FROM (SELECT completed_at AS ended FROM tasks WHERE id = $parent) p WHERE id = $id",
    ),
    (
        "dependencies_missed",
        In::Child,
        "UPDATE tasks SET created_at = created_at - interval '1 hour', started_at = started_at - interval '1 hour',
                          completed_at = completed_at - interval '11 s' WHERE id = $parent",
    ),
    ("mail_count", In::Running, "UPDATE tasks SET mail = 2 WHERE id = $id"),
    (
        "message_seen_once",
        In::Running,
        "INSERT INTO threads (id, project_id, last_number) SELECT $id, project_id, 1 FROM tasks WHERE id = $id;
         INSERT INTO conversations (id, project_id, thread_id, number, from_name, audience, message_type, content, trust, wakes)
         SELECT $id, project_id, $id, 1, 'ada', 'group', 'message', 'x', 'user', false FROM tasks WHERE id = $id;
         UPDATE steps SET kind = 'agent_message', body = json_build_object('id', $id) WHERE task_id = $id AND seq = 1",
    ),
    (
        "message_in_journal",
        In::Running,
        "INSERT INTO threads (id, project_id, last_number) SELECT $id, project_id, 1 FROM tasks WHERE id = $id;
         INSERT INTO conversations (id, project_id, thread_id, number, from_name, audience, message_type, content, trust, wakes)
         SELECT $id, project_id, $id, 1, 'ada', 'group', 'message', 'x', 'user', false FROM tasks WHERE id = $id;
         INSERT INTO inboxes (agent_id, last_place) SELECT assigned_agent_id, 1 FROM tasks WHERE id = $id;
         INSERT INTO message_deliveries (agent_id, place, message_id, state, task_id, step, acknowledged_by, acknowledged_at)
         SELECT assigned_agent_id, 1, $id, 'acknowledged', id, 1, 'task', now() FROM tasks WHERE id = $id",
    ),
    ("answer_awaited", In::Waiting, "UPDATE tasks SET status_reason = 'answer' WHERE id = $id"),
    (
        "concurrency_exceeded",
        In::Running,
        "UPDATE tasks SET concurrency_key = 'one' WHERE status = 'running'",
    ),
];

async fn plant_in(bed: &Bed, place: In) -> (TaskId, TaskId) {
    let parent = done_task(bed).await;
    let id = match place {
        In::Done => done_task(bed).await,
        In::Running => taken_over(bed).await,
        In::Ready => bed.enqueue().await,
        In::Waiting => {
            let id = bed.enqueue().await;
            let retry: Outcome = outcome("retry");
            bed.settle(id, &retry).await;
            id
        }
        In::Child => bed.enqueue_after(&[parent], DependencyPolicy::Fail).await,
    };
    (id, parent)
}

#[tokio::test]
async fn each_planted_violation_is_found_by_name() {
    let names: std::collections::BTreeSet<&str> =
        hive_store::verify::checks().map(|check| check.name).collect();
    let planted: std::collections::BTreeSet<&str> = PLANTED.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, planted, "each check has a violation that it finds");

    // Some at a time: each has a database of its own.
    for some in PLANTED.chunks(8) {
        let planting = tokio::task::LocalSet::new();
        let found: Vec<_> =
            some.iter().map(|(name, place, sql)| planting.spawn_local(is_found(name, *place, sql))).collect();
        planting.await;
        for one in found {
            one.await.unwrap();
        }
    }
}

async fn is_found(name: &'static str, place: In, sql: &'static str) {
    let bed = Bed::make().await;
    // What the schema forbids is planted all the same: a check does not lean on a constraint.
    bed.execute(
        "ALTER TABLE tasks DROP CONSTRAINT tasks_completed_only_at_end, DROP CONSTRAINT tasks_lease_only_while_running",
    )
    .await;
    done_task(&bed).await;
    taken_over(&bed).await;
    let (id, parent) = plant_in(&bed, place).await;
    assert_eq!(found(&bed).await.len(), 0, "nothing is wrong before {name} is planted");
    bed.execute(&sql.replace("$id", &format!("'{id}'")).replace("$parent", &format!("'{parent}'"))).await;
    let found = found(&bed).await;
    let check = found.iter().find(|check| check.name == name);
    let check = check.unwrap_or_else(|| panic!("{name} did not find what was planted: {found:?}"));
    assert!(
        check.violations.iter().any(|violation| violation.task == id && !violation.evidence.is_empty()),
        "{name} names the task {id}: {:?}",
        check.violations
    );
}

#[tokio::test]
async fn an_old_violation_is_found_by_looking_at_all() {
    let bed = Bed::make().await;
    let old = done_task(&bed).await;
    bed.execute(&format!("UPDATE tasks SET input_tokens = 0 WHERE id = '{old}'")).await;
    for _ in 0..3 {
        done_task(&bed).await;
    }
    let sums = async |scope| {
        let checked = bed.store.verify(scope).await.unwrap();
        checked.into_iter().find(|check| check.name == "ledger_sum").unwrap()
    };
    assert_eq!(sums(Scope::Recent { ended: 3 }).await.found, 0);
    assert_eq!(sums(Scope::Recent { ended: 4 }).await.violations[0].task, old);
    assert_eq!(sums(Scope::All).await.violations[0].task, old);
}

#[tokio::test]
async fn tickets_are_compared_with_what_wants_them() {
    let bed = Bed::make().await;
    let (ready, done) = (bed.enqueue().await, done_task(&bed).await);
    assert_eq!(
        bed.store.want_tickets(10.0, 100, None).await.unwrap().len(),
        0,
        "it is ready for a moment only"
    );
    let unwanted =
        async |epoch| bed.store.unwanted_tickets(&[(ready, epoch), (done, 0)], 60.0).await.unwrap();
    assert_eq!(unwanted(0).await.len(), 0, "its end is a moment ago");
    bed.execute("UPDATE tasks SET updated_at = now() - interval '2 min'").await;
    let wanting = bed.store.want_tickets(10.0, 100, None).await.unwrap();
    assert_eq!(wanting.iter().map(|task| task.task).collect::<Vec<_>>(), [ready]);
    assert_eq!(bed.store.want_tickets(10.0, 100, Some(&[done])).await.unwrap().len(), 0);
    assert_eq!(unwanted(0).await.iter().map(|v| v.task).collect::<Vec<_>>(), [done]);
    assert_eq!(unwanted(7).await.len(), 2, "the ready task never had epoch 7");
    let stranger = TaskId::new();
    let found = bed.store.unwanted_tickets(&[(stranger, 0)], 60.0).await.unwrap();
    assert!(found[0].evidence.contains("does not exist"), "{found:?}");

    bed.execute(
        "INSERT INTO pauses (scope, name, mode, created_by) VALUES ('lane', 'normal', 'pause', 'ada')",
    )
    .await;
    assert_eq!(bed.store.want_tickets(10.0, 100, None).await.unwrap().len(), 0, "its lane is paused");
}

/// A verifier that could write would be one more thing to verify.
#[tokio::test]
async fn a_read_only_store_cannot_write() {
    let bed = Bed::make().await;
    let config = hive_store::Config { read_only: true, ..hive_store::Config::new(bed.database.url.clone()) };
    let store = hive_store::Store::connect_lazy(&config).unwrap();
    store.verify(SCOPE).await.unwrap();
    let refused = store.enqueue(&bed.new_task()).await.unwrap_err();
    assert!(format!("{refused:?}").contains("read-only"), "{refused:?}");
}
