//! Money as a lock: what is reserved never exceeds a cap, is settled once, and comes back.

use std::{collections::BTreeMap, time::Duration};

use hive_domain::{
    BudgetPeriod, BudgetScope, Lease, NanoUsd, Outcome, StatusReason, TaskId, TaskStatus, Usage,
    journal::{Entry, Reply, Stop},
    task::Task,
};
use hive_store::{BudgetKey, CallOutcome, Error, GroupBy, NewStep, NextCall, Reached};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::bed::Bed;

const ORG: BudgetKey =
    BudgetKey { scope: BudgetScope::Org, target: Uuid::nil(), period: BudgetPeriod::Total };
const ORG_DAY: BudgetKey = BudgetKey { period: BudgetPeriod::Day, ..ORG };

pub(crate) fn of_task(id: TaskId) -> BudgetKey {
    BudgetKey { scope: BudgetScope::Task, target: id.uuid(), period: BudgetPeriod::Total }
}

pub(crate) async fn begin(bed: &Bed, lease: &Lease<Task>, worst: i64) -> Result<Uuid, Box<Reached>> {
    let call = Uuid::now_v7();
    match bed.store.note_call(lease, call, "claude", b"x", None, NanoUsd(worst)).await {
        Ok(true) => Ok(call),
        Err(Error::OverBudget(reached)) => Err(reached),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn answer(bed: &Bed, lease: &mut Lease<Task>, call: Uuid, cost: i64) {
    let entry = Entry::Reply(Reply {
        content: RawValue::from_string("[]".to_owned()).unwrap(),
        stop: Stop::ToolUse,
        model: "claude".to_owned(),
        requested_model: None,
        exchange: None,
        usage: Usage { output_tokens: 1, cost: NanoUsd(cost), ..Usage::default() },
        broken_inputs: BTreeMap::new(),
        request_id: None,
    });
    bed.store.append(lease, &NewStep { call: Some(call), ..NewStep::plain(&entry) }).await.unwrap();
}

/// As an agent does it that met a budget.
pub(crate) async fn park(bed: &Bed, lease: &Lease<Task>) {
    let outcome =
        Outcome::Wait { after: Duration::MAX, reason: StatusReason::Budget, detail: "no money".to_owned() };
    bed.settle_with(lease, &outcome).await;
}

/// Cap, spent and reserved.
pub(crate) async fn stands(bed: &Bed, key: BudgetKey) -> (i64, i64, i64) {
    let listed = bed.store.budgets(None, 100).await.unwrap();
    let mut found = listed.into_iter().map(|listed| listed.budget);
    let budget = found.find(|b| (b.scope, b.target, b.period) == (key.scope, key.target, key.period));
    let budget = budget.expect("the budget is listed");
    (budget.cap.0, budget.spent.0, budget.reserved.0)
}

pub(crate) async fn assert_verified(bed: &Bed) {
    for check in bed.store.verify_budgets().await.unwrap() {
        assert_eq!(check.found, 0, "{}: {:?}", check.name, check.violations);
    }
}

#[tokio::test]
async fn a_call_is_reserved_on_every_level_and_settled_with_its_cost() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let agent = BudgetKey { scope: BudgetScope::Agent, target: bed.agent.uuid(), period: BudgetPeriod::Day };
    for key in [ORG, ORG_DAY, agent, of_task(id)] {
        bed.store.set_budget(key, NanoUsd(1_000), "ada").await.unwrap();
    }
    let call = begin(&bed, &lease, 600).await.unwrap();
    // The same one again, since the answer was lost: it holds its money once.
    assert!(bed.store.note_call(&lease, call, "claude", b"x", None, NanoUsd(600)).await.unwrap());
    for key in [ORG, ORG_DAY, agent, of_task(id)] {
        assert_eq!(stands(&bed, key).await, (1_000, 0, 600));
    }
    assert_verified(&bed).await;
    answer(&bed, &mut lease, call, 450).await;
    for key in [ORG, ORG_DAY, agent, of_task(id)] {
        assert_eq!(stands(&bed, key).await, (1_000, 450, 0));
    }
    // A call that was cut is charged for what was streamed; one that was not sent gives all of it back.
    let call = begin(&bed, &lease, 500).await.unwrap();
    let usage = Usage { output_tokens: 1, cost: NanoUsd(50), ..Usage::default() };
    let cut = CallOutcome { error: "cut".to_owned(), request_id: None, usage: Some(usage) };
    bed.store.fail_call(&lease, call, &cut).await.unwrap();
    bed.store.fail_call(&lease, call, &cut).await.unwrap();
    assert_eq!(stands(&bed, ORG_DAY).await, (1_000, 500, 0));
    let call = begin(&bed, &lease, 500).await.unwrap();
    bed.store
        .fail_call(&lease, call, &CallOutcome { usage: Some(Usage::default()), ..cut.clone() })
        .await
        .unwrap();
    assert_eq!(stands(&bed, agent).await, (1_000, 500, 0));
    // One that broke off before anything was heard of its charge may have been charged with all of it.
    let call = begin(&bed, &lease, 100).await.unwrap();
    let unheard = CallOutcome { usage: None, ..cut.clone() };
    for _ in 0..2 {
        bed.store.fail_call(&lease, call, &unheard).await.unwrap();
        assert_eq!(stands(&bed, agent).await, (1_000, 600, 0));
    }
    bed.store.fail_call(&lease, call, &CallOutcome { usage: Some(Usage::default()), ..cut }).await.unwrap();
    assert_eq!(stands(&bed, agent).await, (1_000, 500, 0), "heard late");
    let reached = begin(&bed, &lease, 501).await.unwrap_err();
    assert_eq!((reached.need, reached.budget.spent), (NanoUsd(501), NanoUsd(500)));
    assert_eq!(stands(&bed, ORG).await, (1_000, 500, 0), "what was refused holds nothing");
    assert_verified(&bed).await;
}

#[tokio::test]
async fn calls_of_one_group_are_admitted_in_order_and_never_over_the_cap() {
    let bed = Bed::make().await;
    bed.store.set_budget(ORG, NanoUsd(1_000), "ada").await.unwrap();
    let mut leases = Vec::new();
    for _ in 0..24 {
        let id = bed.enqueue().await;
        leases.push(bed.claim(id).await);
    }
    let begun = futures::future::join_all(leases.iter().map(|lease| begin(&bed, lease, 90))).await;
    assert_eq!(begun.iter().filter(|begun| begun.is_ok()).count(), 11, "990 of 1,000");
    assert_eq!(stands(&bed, ORG).await, (1_000, 0, 990));
    for (lease, begun) in leases.iter_mut().zip(begun) {
        if let Ok(call) = begun {
            answer(&bed, lease, call, 90).await;
        }
    }
    assert_eq!(stands(&bed, ORG).await, (1_000, 990, 0));
    assert_verified(&bed).await;
}

#[tokio::test]
async fn groups_of_several_processes_on_crossing_budgets_neither_deadlock_nor_overspend() {
    let bed = Bed::make().await;
    let stores: Vec<_> = (0..4).map(|_| crate::bed::connect(&bed.database)).collect();
    bed.store.set_budget(ORG, NanoUsd(100_000), "ada").await.unwrap();
    let mut leases = Vec::new();
    for nth in 0..32 {
        let id = bed.enqueue().await;
        if nth % 2 == 0 {
            bed.store.set_budget(of_task(id), NanoUsd(10_000), "ada").await.unwrap();
        }
        leases.push(bed.claim(id).await);
    }
    let work = leases.iter_mut().enumerate().map(|(nth, lease)| {
        let store = stores[nth % stores.len()].clone();
        let bed = &bed;
        async move {
            for _ in 0..8 {
                let call = Uuid::now_v7();
                match store.note_call(lease, call, "claude", b"x", None, NanoUsd(1_000)).await {
                    Ok(noted) => assert!(noted),
                    Err(Error::OverBudget(_)) => break,
                    Err(error) => panic!("{error:?}"),
                }
                answer(bed, lease, call, 700).await;
            }
        }
    });
    futures::future::join_all(work).await;
    let (cap, spent, reserved) = stands(&bed, ORG).await;
    assert!(spent <= cap && spent > 90_000, "{spent} of {cap}");
    assert_eq!(reserved, 0);
    assert_verified(&bed).await;
}

#[tokio::test]
async fn a_raise_resumes_those_that_wait_for_this_budget_and_no_others() {
    let bed = Bed::make().await;
    let (one, other) = (bed.enqueue().await, bed.enqueue().await);
    for id in [one, other] {
        bed.store.set_budget(of_task(id), NanoUsd(100), "ada").await.unwrap();
        let lease = bed.claim(id).await;
        begin(&bed, &lease, 101).await.unwrap_err();
        park(&bed, &lease).await;
        bed.assert_stands(id, TaskStatus::Waiting, Some(StatusReason::Budget)).await;
        assert_eq!(bed.task(id).await.attempt, 0, "it costs no attempt");
    }
    assert!(bed.reconcile().await.released.is_empty(), "nothing has changed");
    let (_, why) = bed.store.why(one).await.unwrap();
    assert_eq!(why.cause, "budget");
    for figure in ["0.000000101", "0.000000100", &one.to_string()] {
        assert!(why.explanation.contains(figure), "{why:?}");
    }
    bed.store.set_budget(of_task(one), NanoUsd(101), "ada").await.unwrap();
    assert_eq!(bed.reconcile().await.released, [one]);
    bed.assert_stands(one, TaskStatus::Ready, None).await;
    bed.assert_stands(other, TaskStatus::Waiting, Some(StatusReason::Budget)).await;
    let kinds = bed.event_kinds(one).await;
    assert_eq!(kinds[kinds.len() - 4..], ["budget.reached", "task.waiting", "budget.raised", "task.ready"]);
    assert!(bed.store.remove_budget(of_task(other)).await.unwrap());
    assert_eq!(bed.reconcile().await.released, [other]);
}

#[tokio::test]
async fn room_that_comes_back_resumes_as_many_as_it_has_room_for() {
    let bed = Bed::make().await;
    bed.store.set_budget(ORG, NanoUsd(1_000), "ada").await.unwrap();
    let first = bed.enqueue().await;
    let mut busy = bed.claim(first).await;
    let call = begin(&bed, &busy, 900).await.unwrap();
    let mut parked = Vec::new();
    for _ in 0..4 {
        let id = bed.enqueue().await;
        let lease = bed.claim(id).await;
        begin(&bed, &lease, 300).await.unwrap_err();
        park(&bed, &lease).await;
        parked.push(id);
    }
    assert!(bed.reconcile().await.released.is_empty());
    answer(&bed, &mut busy, call, 100).await;
    assert_eq!(bed.reconcile().await.released, parked[..3], "900 are left, and three times 300");
}

#[tokio::test]
async fn a_new_day_has_its_whole_cap() {
    let bed = Bed::make().await;
    bed.store.set_budget(ORG_DAY, NanoUsd(100), "ada").await.unwrap();
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let call = begin(&bed, &lease, 100).await.unwrap();
    answer(&bed, &mut lease, call, 100).await;
    begin(&bed, &lease, 100).await.unwrap_err();
    park(&bed, &lease).await;
    let (_, why) = bed.store.why(id).await.unwrap();
    let now = bed.store.now().await.unwrap();
    assert!(why.until.is_some_and(|until| until > now), "{why:?}");
    assert!(bed.reconcile().await.released.is_empty());
    bed.execute(
        "UPDATE budgets SET day = day - 1, set_day = set_day - 1; UPDATE usage_days SET day = day - 1;
         ALTER TABLE llm_calls DISABLE TRIGGER llm_calls_are_settled;
         UPDATE llm_calls SET finished_at = finished_at - interval '1 day'",
    )
    .await;
    bed.execute("ALTER TABLE llm_calls ENABLE TRIGGER llm_calls_are_settled").await;
    assert_eq!(bed.reconcile().await.released, [id]);
    let mut lease = bed.claim(id).await;
    let call = begin(&bed, &lease, 100).await.unwrap();
    assert_eq!(stands(&bed, ORG_DAY).await, (100, 0, 100));
    answer(&bed, &mut lease, call, 60).await;
    assert_eq!(stands(&bed, ORG_DAY).await, (100, 60, 0));
    assert_verified(&bed).await;
}

#[tokio::test]
async fn a_call_whose_run_died_counts_as_spent_until_it_is_known() {
    let bed = Bed::make().await;
    bed.store.set_budget(ORG, NanoUsd(1_000), "ada").await.unwrap();
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    let call = begin(&bed, &lease, 400).await.unwrap();
    bed.orphan(id).await;
    assert_eq!(bed.store.close_orphaned_calls().await.unwrap(), 0, "an answer may still come");
    bed.execute("UPDATE llm_calls SET created_at = created_at - interval '21 s'").await;
    assert_eq!(bed.store.close_orphaned_calls().await.unwrap(), 1);
    assert_eq!(stands(&bed, ORG).await, (1_000, 400, 0));
    assert_verified(&bed).await;
    let today = bed.store.now().await.unwrap().date_naive();
    let total = bed.store.usage_total(today, today).await.unwrap();
    assert_eq!((total.unknown, total.unknown_cost, total.usage.cost), (1, NanoUsd(400), NanoUsd(0)));
    // The dead was only frozen, and heard what it cost.
    let usage = Usage { output_tokens: 1, cost: NanoUsd(30), ..Usage::default() };
    let late = CallOutcome { error: "late".to_owned(), request_id: None, usage: Some(usage) };
    bed.store.fail_call(&lease, call, &late).await.unwrap();
    assert_eq!(stands(&bed, ORG).await, (1_000, 30, 0));
    let total = bed.store.usage_total(today, today).await.unwrap();
    assert_eq!((total.unknown, total.unknown_cost, total.usage.cost), (0, NanoUsd(0), NanoUsd(30)));
    assert_verified(&bed).await;
}

#[tokio::test]
async fn a_child_spends_of_its_parents_limit() {
    let bed = Bed::make().await;
    let parent = bed.enqueue_with(|new| new.limits.max_cost_usd = Some(1e-6)).await;
    let mut lease = bed.claim(parent).await;
    // Before it has a child it has no budget; what it spent then counts all the same, and so does its call in progress.
    let call = begin(&bed, &lease, 300).await.unwrap();
    answer(&bed, &mut lease, call, 200).await;
    let open = begin(&bed, &lease, 300).await.unwrap();
    assert!(bed.store.budgets(None, 10).await.unwrap().is_empty());
    let child = bed.enqueue_with(|new| new.parent = Some(parent)).await;
    assert_eq!(stands(&bed, of_task(parent)).await, (1_000, 200, 300));
    let grandchild = bed.enqueue_with(|new| new.parent = Some(child)).await;
    let mut below = bed.claim(grandchild).await;
    let call = begin(&bed, &below, 400).await.unwrap();
    assert_eq!(stands(&bed, of_task(parent)).await, (1_000, 200, 700));
    answer(&bed, &mut below, call, 350).await;
    answer(&bed, &mut lease, open, 300).await;
    assert_eq!(stands(&bed, of_task(parent)).await, (1_000, 850, 0));
    assert_eq!(stands(&bed, of_task(child)).await.1, 350, "the default limit of the child became one, too");
    let reached = begin(&bed, &below, 151).await.unwrap_err();
    assert_eq!(reached.budget.target, parent.uuid());
    begin(&bed, &lease, 151).await.unwrap_err();
    begin(&bed, &below, 150).await.unwrap();
    assert_verified(&bed).await;
}

#[tokio::test]
async fn a_new_budget_begins_with_what_was_spent_and_takes_on_open_calls() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let call = begin(&bed, &lease, 100).await.unwrap();
    answer(&bed, &mut lease, call, 70).await;
    let open = begin(&bed, &lease, 100).await.unwrap();
    bed.store.set_budget(ORG, NanoUsd(50), "ada").await.unwrap();
    assert_eq!(stands(&bed, ORG).await, (50, 70, 100));
    assert_verified(&bed).await;
    answer(&bed, &mut lease, open, 80).await;
    assert_eq!(stands(&bed, ORG).await, (50, 150, 0));
    begin(&bed, &lease, 1).await.unwrap_err();
    assert_verified(&bed).await;
    let strange =
        BudgetKey { scope: BudgetScope::Session, target: Uuid::now_v7(), period: BudgetPeriod::Day };
    let refused = bed.store.set_budget(strange, NanoUsd(1), "ada").await.unwrap_err();
    assert!(matches!(refused, Error::Invalid { field: "/name", .. }), "{refused:?}");
}

#[tokio::test]
async fn the_call_that_follows_a_step_is_noted_with_it_only_without_a_budget() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let next = || {
        Some(NextCall {
            id: Uuid::now_v7(),
            model: "claude",
            request_sha256: b"x",
            route: None,
            worst_case: NanoUsd(100),
        })
    };
    let note = crate::bed::note("one");
    let edge = bed.store.append_all(&mut lease, &[NewStep::plain(&note)], next()).await.unwrap();
    assert!(edge.begun);
    bed.store.set_budget(ORG, NanoUsd(1_000), "ada").await.unwrap();
    assert_eq!(stands(&bed, ORG).await, (1_000, 0, 100), "it takes the open call on");
    let edge = bed.store.append_all(&mut lease, &[NewStep::plain(&note)], next()).await.unwrap();
    assert!(!edge.begun, "its money is reserved by a statement of its own");
}

#[tokio::test]
async fn usage_adds_up_by_every_key_and_outlives_its_calls() {
    let bed = Bed::make().await;
    for cost in [5, 7] {
        let id = bed.enqueue().await;
        let mut lease = bed.claim(id).await;
        for _ in 0..3 {
            let call = begin(&bed, &lease, 100).await.unwrap();
            answer(&bed, &mut lease, call, cost).await;
        }
        bed.settle_with(&lease, &crate::bed::outcome("done")).await;
    }
    let today = bed.store.now().await.unwrap().date_naive();
    let sums = async |by| bed.store.usage(by, today, today, None, 100).await.unwrap();
    for (by, keys) in [
        (GroupBy::Day, 1),
        (GroupBy::Model, 1),
        (GroupBy::Agent, 1),
        (GroupBy::Session, 1),
        (GroupBy::Task, 2),
        (GroupBy::Run, 2),
    ] {
        let sums = sums(by).await;
        assert_eq!(sums.len(), keys, "{by:?}");
        assert_eq!(sums.iter().map(|sum| sum.usage.cost).sum::<NanoUsd>(), NanoUsd(36), "{by:?}");
        assert_eq!(sums.iter().map(|sum| sum.calls).sum::<i64>(), 6);
    }
    let first = bed.store.usage(GroupBy::Task, today, today, None, 1).await.unwrap();
    let second = bed.store.usage(GroupBy::Task, today, today, Some(&first[0].key), 1).await.unwrap();
    assert_ne!(first[0].key, second[0].key);
    assert!(bed.store.usage(GroupBy::Task, today, today, Some(&second[0].key), 1).await.unwrap().is_empty());
    bed.execute("TRUNCATE llm_calls").await;
    assert_eq!(sums(GroupBy::Model).await[0].usage.cost, NanoUsd(36));
    bed.store.set_budget(ORG, NanoUsd(100), "ada").await.unwrap();
    assert_eq!(stands(&bed, ORG).await, (100, 36, 0));
}

#[tokio::test]
async fn each_planted_violation_of_a_budget_is_found_by_name() {
    for (name, sql) in [
        ("budget_reservations", "UPDATE budgets SET reserved_nano_usd = reserved_nano_usd + 1"),
        ("budget_reservations", "UPDATE llm_calls SET budgets = '{}' WHERE state = 'intent'"),
        ("budget_spent", "UPDATE budgets SET spent_nano_usd = spent_nano_usd - 1"),
        ("budget_over_cap", "UPDATE budgets SET cap_nano_usd = 99, set_used_nano_usd = 0"),
        ("usage_days", "UPDATE usage_days SET cost_nano_usd = cost_nano_usd + 1"),
        ("usage_days", "DELETE FROM usage_days"),
    ] {
        let bed = Bed::make().await;
        bed.store.set_budget(ORG, NanoUsd(1_000), "ada").await.unwrap();
        let id = bed.enqueue().await;
        let mut lease = bed.claim(id).await;
        let call = begin(&bed, &lease, 100).await.unwrap();
        answer(&bed, &mut lease, call, 70).await;
        begin(&bed, &lease, 100).await.unwrap();
        assert_verified(&bed).await;
        bed.execute(&format!("ALTER TABLE llm_calls DISABLE TRIGGER llm_calls_are_settled; {sql}")).await;
        let checked = bed.store.verify_budgets().await.unwrap();
        let found = checked.iter().find(|check| check.name == name).unwrap();
        assert!(found.found > 0, "{name} did not find: {sql}");
    }
}

#[tokio::test]
async fn a_day_that_has_not_come_is_as_full_as_today() {
    let bed = Bed::make().await;
    bed.store.set_budget(ORG_DAY, NanoUsd(1_000), "ada").await.unwrap();
    // The clock of the database was a day ahead when something was booked.
    bed.execute("UPDATE budgets SET day = day + 1").await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let call = begin(&bed, &lease, 600).await.unwrap();
    answer(&bed, &mut lease, call, 600).await;
    assert_eq!(stands(&bed, ORG_DAY).await, (1_000, 600, 0));
    begin(&bed, &lease, 600).await.unwrap_err();
    assert_verified(&bed).await;
}
