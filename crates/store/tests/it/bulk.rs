//! One thing done to many tasks.

use std::{collections::BTreeSet, time::Instant};

use hive_domain::{
    ActionId, ActionKind, ActionStatus, Priority, StatusReason, TaskId, TaskStatus, task::NewTask,
};
use hive_store::{Attempt, BulkAction, KeptAnswer, NewBulkAction, TaskFilter};

use crate::bed::{Bed, connect, look, outcome};

async fn many(bed: &Bed, count: usize, change: impl Fn(usize, &mut NewTask)) -> Vec<TaskId> {
    let mut ids = Vec::new();
    for chunk in 0..count.div_ceil(1_000) {
        let new: Vec<_> = (chunk * 1_000..count.min((chunk + 1) * 1_000))
            .map(|n| {
                let mut new = bed.new_task();
                change(n, &mut new);
                new
            })
            .collect();
        ids.extend(bed.store.enqueue_many(&new).await.unwrap().into_iter().map(|task| task.id));
    }
    ids
}

fn labelled(team: &str) -> TaskFilter {
    TaskFilter { labels: [("team".to_owned(), team.to_owned())].into(), ..TaskFilter::default() }
}

async fn begin(bed: &Bed, kind: ActionKind, filter: &TaskFilter, priority: Option<i64>) -> BulkAction {
    let new = NewBulkAction {
        kind,
        filter: filter.clone(),
        shown: serde_json::json!({ "as": "sent" }),
        priority: priority.map(|priority| Priority::try_from(priority).unwrap()),
        created_by: "ada".to_owned(),
    };
    let Attempt::First(mut once) = bed.store.attempt(None).await.unwrap() else {
        panic!("no key, no answer")
    };
    let action = once.begin_bulk_action(&new).await.unwrap();
    once.finish(&KeptAnswer { status: 202, location: None, body: String::new() }).await.unwrap();
    action
}

/// Works until nothing is left, as a scheduler does; returns every task that was told of. A slice that takes too long on a
/// busy machine is smaller the next time, and too many of these end the action as failed.
async fn work(bed: &Bed) -> Vec<TaskId> {
    let mut told = Vec::new();
    loop {
        match bed.store.work_on_bulk_actions().await {
            Ok(Some(slice)) => told.extend(slice.changed.into_iter().map(|changed| changed.task)),
            Ok(None)
                if bed.number("SELECT count(*) FROM task_actions WHERE status = 'working'").await == 0 =>
            {
                return told;
            }
            Ok(None) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            Err(error) => println!("a slice failed: {error:?}"),
        }
    }
}

async fn counts(bed: &Bed, id: ActionId) -> (ActionStatus, [i64; 4]) {
    let action = bed.store.bulk_action(id).await.unwrap();
    assert_eq!(action.finished_at.is_some(), action.status != ActionStatus::Working);
    (action.status, [action.matched, action.done, action.skipped, action.cascaded])
}

/// Ten thousand tasks, each action in turn. The figures are printed; the bound is far above them.
#[tokio::test]
async fn ten_thousand_are_reprioritised_cancelled_and_redriven() {
    const COUNT: usize = 10_000;
    let bed = Bed::make().await;
    let ids = many(&bed, COUNT, |_, new| {
        new.labels = [("team".to_owned(), "shop".to_owned())].into();
    })
    .await;
    let other = bed.enqueue().await;
    let untouched = bed.rows(other).await;
    let all: BTreeSet<TaskId> = ids.iter().copied().collect();
    let count = i64::try_from(COUNT).unwrap();
    for (kind, priority) in
        [(ActionKind::Reprioritise, Some(1)), (ActionKind::Cancel, None), (ActionKind::Redrive, None)]
    {
        let start = Instant::now();
        let action = begin(&bed, kind, &labelled("shop"), priority).await;
        assert_eq!((action.status, action.matched), (ActionStatus::Working, count));
        let told = work(&bed).await;
        println!("{kind} of {COUNT} tasks: {:.2} s", start.elapsed().as_secs_f64());
        assert!(start.elapsed().as_secs() < 60, "{kind} took {:?}", start.elapsed());
        assert_eq!(counts(&bed, action.id).await, (ActionStatus::Done, [count, count, 0, 0]));
        let told_of: BTreeSet<TaskId> = told.iter().copied().collect();
        assert_eq!((told.len(), told_of.len()), (COUNT, COUNT));
        if kind != ActionKind::Redrive {
            assert_eq!(told_of, all);
        }
        let holds = match kind {
            ActionKind::Reprioritise => {
                "SELECT count(*) FROM tasks WHERE priority = 1 AND status = 'ready' AND announced_at IS NULL"
            }
            ActionKind::Cancel => {
                "SELECT count(*) FROM tasks WHERE status = 'cancelled' AND status_reason = 'requested'"
            }
            ActionKind::Redrive => {
                "SELECT count(DISTINCT redriven_from) FROM tasks WHERE status = 'ready' AND priority = 1"
            }
        };
        assert_eq!(bed.number(holds).await, count);
    }
    assert_eq!(bed.rows(other).await, untouched);
    let gaps = "SELECT count(*) FROM (SELECT e.task_id FROM events e GROUP BY 1
                                      HAVING count(*) <> max(e.seq)) AS odd";
    assert_eq!(bed.number(gaps).await, 0, "each change has its event");
    let tickets = bed.store.reconcile(&look(1_000)).await.unwrap().announce;
    assert!(tickets.len() == 1_000 && tickets.iter().all(|ticket| ticket.priority.get() == 1));
}

#[tokio::test]
async fn what_its_state_does_not_allow_is_skipped_and_counted() {
    let bed = Bed::make().await;
    let ids = many(&bed, 6, |_, new| new.labels = [("team".to_owned(), "shop".to_owned())].into()).await;
    bed.settle(ids[0], &outcome("done")).await;
    bed.settle(ids[1], &outcome("fail")).await;
    bed.claim(ids[2]).await;
    let action = begin(&bed, ActionKind::Reprioritise, &labelled("shop"), Some(5)).await;
    work(&bed).await;
    assert_eq!(counts(&bed, action.id).await.1, [6, 0, 6, 0], "they have that priority or have ended");
    let action = begin(&bed, ActionKind::Redrive, &labelled("shop"), None).await;
    work(&bed).await;
    assert_eq!(counts(&bed, action.id).await.1, [6, 1, 5, 0]);
    let action = begin(&bed, ActionKind::Redrive, &labelled("shop"), None).await;
    work(&bed).await;
    assert_eq!(counts(&bed, action.id).await.1, [7, 0, 7, 0], "what was tried again is not tried again");
    let action = begin(&bed, ActionKind::Cancel, &labelled("shop"), None).await;
    work(&bed).await;
    assert_eq!(counts(&bed, action.id).await.1, [7, 5, 2, 0]);
    bed.assert_stands(ids[2], TaskStatus::Cancelled, Some(StatusReason::Requested)).await;
    let nothing = begin(&bed, ActionKind::Cancel, &labelled("nobody"), None).await;
    assert_eq!((nothing.status, nothing.matched), (ActionStatus::Done, 0));
    assert_eq!(bed.store.count_tasks(&labelled("shop")).await.unwrap(), 7);
}

#[tokio::test]
async fn what_belongs_to_a_cancelled_task_is_counted_apart_unless_it_was_meant_too() {
    let bed = Bed::make().await;
    let root = bed.enqueue_with(|new| new.labels = labelled("shop").labels).await;
    let meant = bed
        .enqueue_with(|new| {
            new.labels = labelled("shop").labels;
            new.parent = Some(root);
        })
        .await;
    let besides = bed.enqueue_with(|new| new.parent = Some(meant)).await;
    let action = begin(&bed, ActionKind::Cancel, &labelled("shop"), None).await;
    let mut told = work(&bed).await;
    told.sort();
    assert_eq!(told, [root, meant, besides]);
    assert_eq!(counts(&bed, action.id).await, (ActionStatus::Done, [2, 2, 0, 1]));
    bed.assert_stands(meant, TaskStatus::Cancelled, Some(StatusReason::Requested)).await;
    bed.assert_stands(besides, TaskStatus::Cancelled, Some(StatusReason::ParentCancelled)).await;
}

/// A chain that failed from its first link on: redriven together, the new links wait for the new ones.
#[tokio::test]
async fn a_chain_is_redriven_whole() {
    let bed = Bed::make().await;
    let mut before = None;
    let chain = many(&bed, 0, |_, _| {}).await;
    assert!(chain.is_empty());
    let mut chain = Vec::new();
    for _ in 0..4 {
        let id = bed.enqueue_with(|new| new.dependencies = before.into_iter().collect()).await;
        before = Some(id);
        chain.push(id);
    }
    bed.settle(chain[0], &outcome("fail")).await;
    bed.reconcile().await;
    let failed = TaskFilter { statuses: vec![TaskStatus::Failed], ..TaskFilter::default() };
    begin(&bed, ActionKind::Redrive, &failed, None).await;
    let new = work(&bed).await;
    assert_eq!(new.len(), 4);
    for (n, id) in new.iter().enumerate() {
        let task = bed.task(*id).await;
        assert_eq!(task.redriven_from, Some(chain[n]));
        assert_eq!(task.dependencies, new[..n].last().copied().into_iter().collect::<Vec<_>>());
    }
    for id in new {
        bed.reconcile().await;
        bed.settle(id, &outcome("done")).await;
    }
}

/// Whoever dies in the middle of a slice leaves it as it was, and several workers never act on one task twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_work_survives_those_who_do_it() {
    let bed = Bed::make().await;
    many(&bed, 5_000, |_, new| new.labels = labelled("shop").labels).await;
    let action = begin(&bed, ActionKind::Cancel, &labelled("shop"), None).await;

    // A worker that is cut off at a random moment of its slice.
    for cut in [1, 5, 20, 60, 120] {
        let store = connect(&bed.database);
        let doomed = tokio::spawn(async move { store.work_on_bulk_actions().await });
        tokio::time::sleep(std::time::Duration::from_millis(cut)).await;
        doomed.abort();
        let _ = doomed.await;
        let (_, [matched, done, skipped, _]) = counts(&bed, action.id).await;
        let left = bed.number("SELECT count(*) FROM task_action_items").await;
        assert_eq!(done + skipped + left, matched, "nothing is between done and to be done");
    }
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = connect(&bed.database);
        workers.spawn(async move { while store.work_on_bulk_actions().await.unwrap().is_some() {} });
    }
    workers.join_all().await;
    crate::bed::eventually("the last slice ends", async || {
        while bed.store.work_on_bulk_actions().await.unwrap().is_some() {}
        counts(&bed, action.id).await.0 == ActionStatus::Done
    })
    .await;
    assert_eq!(counts(&bed, action.id).await.1, [5_000, 5_000, 0, 0]);
    let twice = "SELECT count(*) FROM (SELECT task_id FROM events WHERE kind = 'task.cancelled' GROUP BY 1
                                       HAVING count(*) <> 1) AS odd";
    assert_eq!(bed.number(twice).await, 0);
}

/// Two actions on the same tasks, worked on at once, and people who cancel in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actions_on_the_same_tasks_do_not_deadlock() {
    let bed = Bed::make().await;
    let ids = many(&bed, 1_500, |_, new| new.labels = labelled("shop").labels).await;
    begin(&bed, ActionKind::Reprioritise, &labelled("shop"), Some(1)).await;
    begin(&bed, ActionKind::Cancel, &labelled("shop"), None).await;
    begin(&bed, ActionKind::Reprioritise, &labelled("shop"), Some(2)).await;
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let store = connect(&bed.database);
        workers.spawn(async move { while store.work_on_bulk_actions().await.unwrap().is_some() {} });
    }
    for id in ids.into_iter().rev().step_by(10) {
        let store = bed.store.clone();
        workers.spawn(async move { drop(store.cancel(id, "ada").await.unwrap()) });
    }
    workers.join_all().await;
    work(&bed).await;
    assert_eq!(bed.number("SELECT count(*) FROM tasks WHERE status = 'cancelled'").await, 1_500);
}

#[tokio::test]
async fn ended_actions_are_forgotten_by_housekeeping() {
    let bed = Bed::make().await;
    many(&bed, 3, |_, new| new.labels = labelled("shop").labels).await;
    let failed = begin(&bed, ActionKind::Cancel, &labelled("shop"), None).await;
    let old = begin(&bed, ActionKind::Cancel, &labelled("nobody"), None).await;
    let new = begin(&bed, ActionKind::Cancel, &labelled("nobody"), None).await;
    bed.execute(&format!(
        "UPDATE task_actions SET finished_at = now() - interval '31 d' WHERE id = '{}';
         UPDATE task_actions SET finished_at = now() - interval '31 d', status = 'failed', failures = 8, error = 'x'
         WHERE id = '{}'",
        old.id, failed.id
    ))
    .await;
    assert_eq!(
        bed.keep_house("records", true).await.report["task_actions"],
        1,
        "one has tasks that go first"
    );
    let done = bed.keep_house("records", false).await;
    assert_eq!((&done.report["task_action_items"], &done.report["task_actions"]), (&3.into(), &2.into()));
    for gone in [old.id, failed.id] {
        bed.store.bulk_action(gone).await.unwrap_err();
    }
    assert_eq!(bed.store.bulk_action(new.id).await.unwrap().filter, serde_json::json!({ "as": "sent" }));
}

/// What is asked for at once, without the waits between tries.
async fn now(bed: &Bed) {
    bed.execute("UPDATE task_actions SET retry_at = now()").await;
}

#[tokio::test]
async fn an_action_whose_slice_meets_a_locked_row_lets_others_pass() {
    let bed = Bed::make().await;
    let ids = many(&bed, 6, |n, new| {
        new.labels = labelled(if n < 3 { "held" } else { "free" }).labels;
    })
    .await;
    let held = begin(&bed, ActionKind::Cancel, &labelled("held"), None).await;
    let free = begin(&bed, ActionKind::Cancel, &labelled("free"), None).await;
    let mut holder = bed.pool.begin().await.unwrap();
    let lock = "SELECT 1 FROM tasks WHERE id = $1 FOR UPDATE";
    sqlx::query(lock).bind(ids[1].uuid()).execute(&mut *holder).await.unwrap();
    bed.store.work_on_bulk_actions().await.unwrap_err();
    let slice = bed.store.work_on_bulk_actions().await.unwrap().unwrap();
    assert_eq!((slice.action, slice.changed.len()), (free.id, 3));
    assert_eq!(counts(&bed, free.id).await, (ActionStatus::Done, [3, 3, 0, 0]));
    assert!(bed.store.work_on_bulk_actions().await.unwrap().is_none(), "the first one waits");
    let waits = bed.store.bulk_action(held.id).await.unwrap();
    assert_eq!((waits.status, waits.failures, waits.done), (ActionStatus::Working, 1, 0));
    assert!(waits.error.unwrap().contains("lock timeout"));
    let due =
        "SELECT count(*) FROM task_actions WHERE retry_at > now() AND retry_at < now() + interval '2 s'";
    assert_eq!(bed.number(due).await, 1);
    holder.rollback().await.unwrap();
    now(&bed).await;
    work(&bed).await;
    assert_eq!(counts(&bed, held.id).await, (ActionStatus::Done, [3, 3, 0, 0]));
    let done = bed.store.bulk_action(held.id).await.unwrap();
    assert_eq!((done.failures, done.error), (0, None), "what is mended is not held against it");
}

#[tokio::test]
async fn an_action_that_keeps_failing_ends_after_all_that_can_be_done() {
    let bed = Bed::make().await;
    let count = 300;
    let ids = many(&bed, count, |_, new| new.labels = labelled("shop").labels).await;
    let poison = ids[count - 1];
    bed.execute(&format!(
        "ALTER TABLE tasks ADD CONSTRAINT planted CHECK (id <> '{poison}' OR status <> 'cancelled')"
    ))
    .await;
    let action = begin(&bed, ActionKind::Cancel, &labelled("shop"), None).await;
    let (mut failed, mut longest) = (0, 0.0_f64);
    while counts(&bed, action.id).await.0 == ActionStatus::Working {
        now(&bed).await;
        if bed.store.work_on_bulk_actions().await.is_err() {
            failed += 1;
            assert!(failed < 60, "it never ends");
            let wait = "SELECT extract(epoch FROM max(retry_at) - now())::float8 FROM task_actions";
            longest = longest.max(sqlx::query_scalar(wait).fetch_one(&bed.pool).await.unwrap());
        }
    }
    let count = i64::try_from(count).unwrap();
    assert_eq!(counts(&bed, action.id).await, (ActionStatus::Failed, [count, count - 1, 0, 0]));
    let ended = bed.store.bulk_action(action.id).await.unwrap();
    assert_eq!(ended.failures, hive_store::MOST_FAILURES);
    assert!(ended.error.unwrap().contains("planted"), "the error is named");
    assert!((50.0..=60.0).contains(&longest), "{longest}");
    bed.assert_stands(poison, TaskStatus::Ready, None).await;
    now(&bed).await;
    assert!(bed.store.work_on_bulk_actions().await.unwrap().is_none(), "nobody tries it again");
}
