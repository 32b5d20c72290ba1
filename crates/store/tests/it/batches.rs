//! Requests that can wait: reserved before they are sent, booked once, and tried again within bounds.

use std::{collections::BTreeMap, time::Duration};

use hive_domain::{BatchRequestState, BudgetPeriod, BudgetScope, NanoUsd, TaskId, Usage};
use hive_store::{
    BatchAnswer, BatchEnd, BatchResult, BatchVerdict, BudgetKey, Error, GroupBy, NewBatchRequest,
};
use uuid::Uuid;

use crate::{
    bed::{Bed, WORKER},
    budgets,
};

const MODEL: &str = "claude-haiku-5-5";
const ORG: BudgetKey =
    BudgetKey { scope: BudgetScope::Org, target: Uuid::nil(), period: BudgetPeriod::Total };

fn request(task: Option<TaskId>) -> NewBatchRequest {
    NewBatchRequest {
        id: Uuid::now_v7(),
        purpose: "a test".to_owned(),
        model: MODEL.to_owned(),
        body: r#"{"model":"claude-haiku-5-5","max_tokens":8}"#.to_owned(),
        project: None,
        task,
        agent: None,
        session: None,
    }
}

async fn queue(bed: &Bed, tasks: &[Option<TaskId>]) -> Vec<Uuid> {
    let requests: Vec<_> = tasks.iter().map(|task| request(*task)).collect();
    let new = bed.store.queue_batch_requests(&requests).await.unwrap();
    assert_eq!(new, tasks.len() as u64);
    requests.into_iter().map(|request| request.id).collect()
}

/// Notes a batch of these, each of which may cost 100.
async fn begin(bed: &Bed, ids: &[Uuid]) -> (Uuid, Vec<Uuid>) {
    let batch = Uuid::now_v7();
    let worst: BTreeMap<_, _> = ids.iter().map(|id| (*id, NanoUsd(100))).collect();
    (batch, bed.store.begin_batch(WORKER, "key", batch, MODEL, &worst).await.unwrap())
}

async fn created(bed: &Bed, ids: &[Uuid]) -> Uuid {
    let (batch, members) = begin(bed, ids).await;
    assert_eq!(members, ids);
    let expires = bed.store.now().await.unwrap();
    assert!(
        bed.store.batch_created(batch, &format!("msgbatch_{batch}"), expires, Duration::ZERO).await.unwrap()
    );
    batch
}

fn reply(request: Uuid, cost: i64) -> BatchResult {
    let usage = Usage { input_tokens: 3, output_tokens: 5, cost: NanoUsd(cost), ..Usage::default() };
    BatchResult { request, verdict: BatchVerdict::Succeeded { result: "{\"id\":\"msg\"}".to_owned(), usage } }
}

async fn answer(bed: &Bed, id: Uuid) -> BatchAnswer {
    bed.store.batch_answers(&[id]).await.unwrap().pop().expect("it is there")
}

/// Spent and reserved of the organisation.
async fn money(bed: &Bed) -> (i64, i64) {
    let budgets = bed.store.budgets(None, 100).await.unwrap();
    let org = budgets.iter().find(|listed| listed.budget.scope == BudgetScope::Org).expect("it is set");
    (org.budget.spent.0, org.budget.reserved.0)
}

async fn assert_verified(bed: &Bed) {
    for check in bed.store.verify_budgets().await.unwrap() {
        assert_eq!(check.found, 0, "{}: {:?}", check.name, check.violations);
    }
}

#[tokio::test]
async fn a_request_is_queued_once_and_never_changed() {
    let bed = Bed::make().await;
    let first = request(None);
    assert_eq!(bed.store.queue_batch_requests(std::slice::from_ref(&first)).await.unwrap(), 1);
    assert_eq!(bed.store.queue_batch_requests(&[first.clone(), request(None)]).await.unwrap(), 1);
    let other = NewBatchRequest { body: r#"{"max_tokens":9}"#.to_owned(), ..first.clone() };
    let before: i64 =
        sqlx::query_scalar("SELECT count(*) FROM batch_requests").fetch_one(&bed.pool).await.unwrap();
    let refused = bed.store.queue_batch_requests(&[request(None), other]).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict { code: "batch_request_reused", .. }), "{refused:?}");
    for (body, field) in [
        ("[]", "/body"),
        ("{\"max_tokens\":8", "/body"),
        (r#"{"max_tokens":8,"stream":true}"#, "/body"),
        (r#"{"max_tokens":0}"#, "/body"),
        ("{}", "/body"),
    ] {
        let bad = NewBatchRequest { body: body.to_owned(), ..request(None) };
        let refused = bed.store.queue_batch_requests(&[request(None), bad]).await.unwrap_err();
        assert!(
            matches!(refused, Error::Invalid { field: named, .. } if named == field),
            "{body}: {refused:?}"
        );
    }
    let stray = request(Some(Uuid::now_v7().into()));
    let refused = bed.store.queue_batch_requests(&[stray]).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid { field: "/task", .. }), "{refused:?}");
    let after: i64 =
        sqlx::query_scalar("SELECT count(*) FROM batch_requests").fetch_one(&bed.pool).await.unwrap();
    assert_eq!(before, after, "what was refused left nothing behind");
}

#[tokio::test]
async fn one_worker_at_a_time_holds_the_lease_and_only_it_begins() {
    let bed = Bed::make().await;
    let ids = queue(&bed, &[None]).await;
    assert!(begin(&bed, &ids).await.1.is_empty(), "nobody holds the lease");
    assert!(bed.store.hold_batches(WORKER).await.unwrap());
    assert!(!bed.store.hold_batches("worker-2").await.unwrap());
    assert!(bed.store.hold_batches(WORKER).await.unwrap(), "it renews");
    bed.execute("UPDATE batch_lease SET held_until = now() - interval '1 second'").await;
    assert!(begin(&bed, &ids).await.1.is_empty(), "the lease has ended");
    assert!(bed.store.hold_batches("worker-2").await.unwrap());
    assert!(begin(&bed, &ids).await.1.is_empty());
    bed.store.leave_batches("worker-2").await.unwrap();
    assert!(bed.store.hold_batches(WORKER).await.unwrap());
    assert_eq!(begin(&bed, &ids).await.1, ids);
    assert!(begin(&bed, &ids).await.1.is_empty(), "it is in a batch already");
}

#[tokio::test]
async fn money_is_reserved_before_and_booked_once() {
    let bed = Bed::make().await;
    assert!(bed.store.hold_batches(WORKER).await.unwrap());
    bed.store.set_budget(ORG, NanoUsd(250), "ada").await.unwrap();
    let task = bed.enqueue().await;
    let ids = queue(&bed, &[Some(task), None, None]).await;
    let (batch, members) = begin(&bed, &ids).await;
    assert_eq!(members, ids[..2], "the third finds no room");
    assert_eq!(money(&bed).await, (0, 200));
    assert_eq!(bed.store.batch_census().await.unwrap().poor, 1);
    // A budget that is set now takes on what is open.
    let agent = BudgetKey { scope: BudgetScope::Agent, target: bed.agent.uuid(), period: BudgetPeriod::Day };
    let of_agent = bed.store.set_budget(agent, NanoUsd(1_000), "ada").await.unwrap();
    assert_eq!((of_agent.spent.0, of_agent.reserved.0), (0, 100), "the request of the agent's task");
    assert_verified(&bed).await;

    let now = bed.store.now().await.unwrap();
    assert!(bed.store.batch_created(batch, "msgbatch_1", now, Duration::ZERO).await.unwrap());
    assert!(bed.store.batch_created(batch, "msgbatch_1", now, Duration::ZERO).await.unwrap(), "said twice");
    assert!(!bed.store.batch_created(batch, "msgbatch_2", now, Duration::ZERO).await.unwrap());
    let results = [reply(ids[0], 40), reply(ids[0], 40), reply(ids[2], 40), reply(Uuid::now_v7(), 40)];
    assert_eq!(bed.store.record_batch_results(batch, &results).await.unwrap(), 1);
    assert_eq!(bed.store.record_batch_results(batch, &results).await.unwrap(), 0, "each once");
    assert_eq!(bed.store.record_batch_results(batch, &[reply(ids[1], 30)]).await.unwrap(), 1);
    assert_eq!(bed.store.end_batch(batch, [2, 0, 0, 0]).await.unwrap(), Some(0));
    assert_eq!(bed.store.end_batch(batch, [2, 0, 0, 0]).await.unwrap(), None);
    assert_eq!(money(&bed).await, (70, 0));
    assert_verified(&bed).await;

    let first = answer(&bed, ids[0]).await;
    assert_eq!((first.state, first.tries), (BatchRequestState::Succeeded, 1));
    assert_eq!((first.usage.cost, first.usage.output_tokens), (NanoUsd(40), 5));
    assert_eq!(first.result.as_deref(), Some("{\"id\":\"msg\"}"));
    assert_eq!(bed.task(task).await.usage.cost, NanoUsd(40), "the task's own sum has it");
    let today = now.date_naive();
    let total = bed.store.usage_total(today, today).await.unwrap();
    assert_eq!((total.calls, total.failed, total.usage.cost), (2, 0, NanoUsd(70)));
    let by_task = bed.store.usage(GroupBy::Task, today, today, None, 10).await.unwrap();
    assert_eq!((by_task.len(), by_task[0].usage.cost), (1, NanoUsd(40)));
    let of_task = BudgetKey { scope: BudgetScope::Task, target: task.uuid(), period: BudgetPeriod::Total };
    let late = bed.store.set_budget(of_task, NanoUsd(1_000), "ada").await.unwrap();
    assert_eq!(late.spent, NanoUsd(40), "a later budget begins with what the batch cost");
    for check in bed.store.verify(hive_store::verify::Scope::Recent { ended: 100 }).await.unwrap() {
        assert_eq!(check.found, 0, "{}: {:?}", check.name, check.violations);
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_within_bounds() {
    let bed = Bed::make().await;
    assert!(bed.store.hold_batches(WORKER).await.unwrap());
    bed.store.set_budget(ORG, NanoUsd(10_000), "ada").await.unwrap();
    let ids = queue(&bed, &[None, None, None, None]).await;
    let [expired, overloaded, wrong, canceled] = ids[..] else { unreachable!("four were queued") };
    let say = |request, verdict| BatchResult { request, verdict };
    let again = || BatchVerdict::Again { error: "overloaded".to_owned(), after: Duration::from_secs(3_600) };
    for nth in 1..=4 {
        let members = if nth == 1 { ids.clone() } else { vec![expired, overloaded] };
        let batch = created(&bed, &members).await;
        let mut results = vec![say(expired, BatchVerdict::Expired), say(overloaded, again())];
        if nth == 1 {
            results.push(say(wrong, BatchVerdict::Errored { error: "no".to_owned() }));
            results.push(say(canceled, BatchVerdict::Canceled));
        }
        bed.store.record_batch_results(batch, &results).await.unwrap();
        bed.store.end_batch(batch, [0, 2, 0, 1]).await.unwrap();
        if nth < 4 {
            assert_eq!(answer(&bed, expired).await.state, BatchRequestState::Queued);
            assert_eq!(answer(&bed, wrong).await.state, BatchRequestState::Errored);
            assert_eq!(answer(&bed, canceled).await.state, BatchRequestState::Canceled);
            let ready = bed.store.queued_for_batch(MODEL, 10, 1_000_000).await.unwrap();
            assert_eq!(
                ready.iter().map(|r| r.id).collect::<Vec<_>>(),
                [expired],
                "the other waits for an hour"
            );
            bed.execute("UPDATE batch_requests SET not_before = now() WHERE state = 'queued'").await;
        }
    }
    let (expired, overloaded) = (answer(&bed, expired).await, answer(&bed, overloaded).await);
    assert_eq!((expired.state, expired.tries), (BatchRequestState::Expired, 4));
    assert_eq!(
        (overloaded.state, overloaded.error.as_deref()),
        (BatchRequestState::Errored, Some("overloaded"))
    );
    assert_eq!(money(&bed).await, (0, 0), "none of it was charged");
    assert_verified(&bed).await;
}

#[tokio::test]
async fn what_was_not_created_costs_no_try_and_what_is_lost_counts_as_spent() {
    let bed = Bed::make().await;
    assert!(bed.store.hold_batches(WORKER).await.unwrap());
    bed.store.set_budget(ORG, NanoUsd(10_000), "ada").await.unwrap();
    let ids = queue(&bed, &[None, None]).await;
    let (batch, _) = begin(&bed, &ids).await;
    assert!(bed.store.give_up_batch(batch, BatchEnd::Unsent, "not there", Duration::ZERO).await.unwrap());
    assert!(!bed.store.give_up_batch(batch, BatchEnd::Lost, "again", Duration::ZERO).await.unwrap());
    let now = bed.store.now().await.unwrap();
    assert!(!bed.store.batch_created(batch, "msgbatch_late", now, Duration::ZERO).await.unwrap());
    assert_eq!((answer(&bed, ids[0]).await.tries, money(&bed).await), (0, (0, 0)));

    let batch = created(&bed, &ids).await;
    assert_eq!(bed.store.record_batch_results(batch, &[reply(ids[0], 40)]).await.unwrap(), 1);
    assert!(bed.store.give_up_batch(batch, BatchEnd::Lost, "gone", Duration::ZERO).await.unwrap());
    assert_eq!(money(&bed).await, (140, 0), "one is known, the other may have cost 100");
    let second = answer(&bed, ids[1]).await;
    assert_eq!((second.state, second.tries), (BatchRequestState::Queued, 1));
    assert_eq!(second.unknown_cost, NanoUsd(100));
    assert_eq!(answer(&bed, ids[0]).await.state, BatchRequestState::Succeeded, "what was booked stays");

    // Results that name only some of the requests.
    let batch = created(&bed, &ids[1..]).await;
    assert_eq!(bed.store.end_batch(batch, [1, 0, 0, 0]).await.unwrap(), Some(1));
    assert_eq!(money(&bed).await, (240, 0));
    assert_verified(&bed).await;
    let listed = bed.store.batches(None, 10).await.unwrap();
    let states: Vec<_> = listed.iter().map(|batch| batch.state.as_str()).collect();
    assert_eq!(states, ["ended", "lost", "unsent"], "the newest first");
    assert_eq!((listed[1].answered, listed[1].unknown, listed[1].cost), (1, 1, NanoUsd(40)));
}

#[tokio::test]
async fn results_and_calls_on_the_same_budgets_do_not_deadlock() {
    let bed = Bed::make().await;
    assert!(bed.store.hold_batches(WORKER).await.unwrap());
    bed.store.set_budget(ORG, NanoUsd(1_000_000), "ada").await.unwrap();
    let mut leases = Vec::new();
    for _ in 0..8 {
        let id = bed.enqueue().await;
        leases.push(bed.claim(id).await);
    }
    let tasks: Vec<_> = leases.iter().map(|lease| Some(lease.task())).collect();
    let ids = queue(&bed, &tasks).await;
    let batch = created(&bed, &ids).await;
    let stores: Vec<_> = (0..4).map(|_| crate::bed::connect(&bed.database)).collect();
    let booking = async {
        for pair in ids.chunks(2) {
            let results: Vec<_> = pair.iter().rev().map(|id| reply(*id, 10)).collect();
            assert_eq!(stores[0].record_batch_results(batch, &results).await.unwrap(), 2);
        }
    };
    let calling = futures::future::join_all(leases.iter().enumerate().map(|(nth, lease)| {
        let store = &stores[nth % 4];
        async move {
            for _ in 0..6 {
                let call = Uuid::now_v7();
                assert!(store.note_call(lease, call, "claude", b"x", None, NanoUsd(100)).await.unwrap());
                let usage = Usage { output_tokens: 1, cost: NanoUsd(7), ..Usage::default() };
                let cut =
                    hive_store::CallOutcome { error: "cut".to_owned(), request_id: None, usage: Some(usage) };
                store.fail_call(lease, call, &cut).await.unwrap();
            }
        }
    }));
    futures::join!(booking, calling);
    assert_eq!(money(&bed).await, (8 * 10 + 8 * 6 * 7, 0));
    assert_verified(&bed).await;
}

#[tokio::test]
async fn nobody_waits_in_the_line_of_a_budget_for_what_a_batch_holds() {
    let bed = Bed::make().await;
    assert!(bed.store.hold_batches(WORKER).await.unwrap());
    bed.store.set_budget(ORG, NanoUsd(240), "ada").await.unwrap();
    let ids = queue(&bed, &[None]).await;
    assert_eq!(begin(&bed, &ids).await.1, ids, "it holds 100");
    let [large, small, open] = [bed.enqueue().await, bed.enqueue().await, bed.enqueue().await];
    let mut running = bed.claim(open).await;
    let call = budgets::begin(&bed, &running, 130).await.unwrap();
    for (id, need) in [(large, 200), (small, 50)] {
        let lease = bed.claim(id).await;
        budgets::begin(&bed, &lease, need).await.unwrap_err();
        budgets::park(&bed, &lease).await;
    }
    budgets::answer(&bed, &mut running, call, 10).await;
    assert_eq!(money(&bed).await, (10, 100));
    assert_eq!(bed.reconcile().await.released, [small], "the one before it needs what the batch holds");
}

#[tokio::test]
async fn batches_go_when_they_are_old_and_the_journal_of_their_task_is_gone() {
    let bed = Bed::make().await;
    assert!(bed.store.hold_batches(WORKER).await.unwrap());
    let (gone, kept) = (bed.id_of(200).await, bed.id_of(30).await);
    for id in [gone, kept] {
        bed.enqueue_with(|new| new.id = id).await;
        let lease = bed.claim(id).await;
        bed.settle_with(&lease, &crate::bed::outcome("fail")).await;
    }
    let mut requests = Vec::new();
    for task in [None, Some(gone), Some(kept)] {
        let ids = queue(&bed, &[task]).await;
        let batch = created(&bed, &ids).await;
        bed.store.record_batch_results(batch, &[reply(ids[0], 10)]).await.unwrap();
        bed.store.end_batch(batch, [1, 0, 0, 0]).await.unwrap();
        requests.extend(ids);
    }
    for table in ["batches SET ended_at", "batch_requests SET completed_at", "batch_calls SET finished_at"] {
        bed.execute(&format!("UPDATE {table} = now() - interval '100 days'")).await;
    }
    bed.execute(
        "UPDATE tasks SET completed_at = time_of_id(id), created_at = time_of_id(id) WHERE completed_at IS NOT NULL",
    )
    .await;
    // This one ended a moment ago.
    let recent = queue(&bed, &[None]).await;
    let batch = created(&bed, &recent).await;
    bed.store.record_batch_results(batch, &[reply(recent[0], 10)]).await.unwrap();
    bed.store.end_batch(batch, [1, 0, 0, 0]).await.unwrap();

    assert_eq!(bed.keep_house("batches_retention", false).await.removed_rows, 0, "every journal is kept");
    bed.keep_house("partitions_ahead", false).await;
    bed.keep_house("steps_retention", false).await;
    assert_eq!(bed.keep_house("batches_retention", true).await.removed_rows, 2, "the calls are counted");
    let done = bed.keep_house("batches_retention", false).await;
    let removed = serde_json::json!({ "batch_calls": 2, "batch_requests": 2, "batches": 2 });
    assert_eq!((done.report, done.removed_rows), (removed, 6));
    let left = bed.store.batch_answers(&[requests[0], requests[1], requests[2], recent[0]]).await.unwrap();
    assert_eq!(left.iter().map(|answer| answer.id).collect::<Vec<_>>(), [requests[2], recent[0]]);
    assert_verified(&bed).await;
}
