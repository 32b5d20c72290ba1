//! What covers a task comes down to it from all that it came of, and ends when they have ended.

use hive_domain::{NanoUsd, StatusReason, TaskId, TaskStatus};
use hive_store::NextCall;
use uuid::Uuid;

use crate::{
    bed::{Bed, outcome},
    budgets::{answer, assert_verified, begin, of_task, park, stands},
    forks::{fork, original},
    redrive::redrive,
};

/// Spends `cost` in a run that fails.
async fn spend_and_fail(bed: &Bed, id: TaskId, cost: i64) {
    let mut lease = bed.claim(id).await;
    let call = begin(bed, &lease, cost).await.unwrap();
    answer(bed, &mut lease, call, cost).await;
    bed.settle_with(&lease, &outcome("fail")).await;
}

#[tokio::test]
async fn trying_a_task_again_spends_of_its_budget_however_often() {
    let bed = Bed::make().await;
    let first = bed.enqueue().await;
    bed.store.set_budget(of_task(first), NanoUsd(1_000), "ada").await.unwrap();
    spend_and_fail(&bed, first, 30).await;
    let mut last = first;
    // More often than tasks may lie below each other.
    for _ in 0..20 {
        last = redrive(&bed, last).await.unwrap().id;
        spend_and_fail(&bed, last, 40).await;
    }
    assert_eq!(stands(&bed, of_task(first)).await, (1_000, 830, 0));
    last = redrive(&bed, last).await.unwrap().id;
    let lease = bed.claim(last).await;
    let reached = begin(&bed, &lease, 171).await.unwrap_err();
    assert_eq!(reached.budget.target, first.uuid());
    park(&bed, &lease).await;
    bed.assert_stands(last, TaskStatus::Waiting, Some(StatusReason::Budget)).await;
    assert_verified(&bed).await;
    bed.store.set_budget(of_task(first), NanoUsd(1_001), "ada").await.unwrap();
    assert_eq!(bed.reconcile().await.released, [last]);
}

#[tokio::test]
async fn a_retry_of_a_part_spends_of_what_the_whole_was_given() {
    let bed = Bed::make().await;
    let whole = bed.enqueue().await;
    bed.store.set_budget(of_task(whole), NanoUsd(100), "ada").await.unwrap();
    let part = bed.enqueue_with(|new| new.parent = Some(whole)).await;
    bed.settle(whole, &outcome("fail")).await;
    bed.execute(&format!("UPDATE tasks SET status = 'cancelled' WHERE id = '{whole}'")).await;
    spend_and_fail(&bed, part, 60).await;
    let again = redrive(&bed, part).await.unwrap().id;
    assert_eq!(bed.task(again).await.parent, None, "it stands alone from now on");
    let lease = bed.claim(again).await;
    begin(&bed, &lease, 41).await.unwrap_err();
    begin(&bed, &lease, 40).await.unwrap();
    assert_eq!(stands(&bed, of_task(whole)).await, (100, 60, 40));
    assert_verified(&bed).await;
}

#[tokio::test]
async fn a_fork_spends_of_the_budget_of_its_original() {
    let bed = Bed::make().await;
    let from = original(&bed).await;
    bed.store.set_budget(of_task(from), NanoUsd(100), "ada").await.unwrap();
    let forked = bed.store.fork(&fork(from, 4)).await.unwrap().id;
    let mut lease = bed.claim(forked).await;
    begin(&bed, &lease, 101).await.unwrap_err();
    let call = begin(&bed, &lease, 100).await.unwrap();
    assert_eq!(stands(&bed, of_task(from)).await, (100, 0, 100));
    answer(&bed, &mut lease, call, 70).await;
    assert_eq!(stands(&bed, of_task(from)).await, (100, 70, 0));
    // Nor is the call that follows a step noted past it.
    let next = NextCall {
        id: Uuid::now_v7(),
        model: "claude",
        request_sha256: b"x",
        route: None,
        worst_case: NanoUsd(31),
    };
    let note = crate::bed::note("one");
    let step = hive_store::NewStep::plain(&note);
    assert!(!bed.store.append_all(&mut lease, &[step], Some(next)).await.unwrap().begun);
    assert_verified(&bed).await;
    // One that is set later begins with what the fork spent, and takes its open call on.
    let open = begin(&bed, &lease, 20).await.unwrap();
    assert!(bed.store.remove_budget(of_task(from)).await.unwrap());
    bed.store.set_budget(of_task(from), NanoUsd(200), "ada").await.unwrap();
    assert_eq!(stands(&bed, of_task(from)).await, (200, 70, 20));
    answer(&bed, &mut lease, open, 20).await;
    assert_eq!(stands(&bed, of_task(from)).await, (200, 90, 0));
    assert_verified(&bed).await;
}

/// As if nothing had touched the budgets for this long.
async fn rest(bed: &Bed, seconds: i64) {
    bed.execute(&format!("UPDATE budgets SET updated_at = updated_at - interval '{seconds} s'")).await;
}

async fn parent_with_child(bed: &Bed) -> (TaskId, TaskId) {
    let parent = bed.enqueue_with(|new| new.limits.max_cost_usd = Some(1e-6)).await;
    (parent, bed.enqueue_with(|new| new.parent = Some(parent)).await)
}

#[tokio::test]
async fn a_budget_that_came_of_a_limit_goes_when_its_tasks_have_ended() {
    let bed = Bed::make().await;
    let count = async || bed.number("SELECT count(*) FROM budgets").await;
    let (parent, child) = parent_with_child(&bed).await;
    let (open, below) = parent_with_child(&bed).await;
    bed.settle(parent, &outcome("done")).await;
    bed.settle(open, &outcome("done")).await;
    rest(&bed, 61).await;
    assert_eq!(bed.store.drop_ended_shares(Uuid::nil()).await.unwrap(), (0, Uuid::nil()), "children run");
    spend_and_fail(&bed, child, 10).await;
    assert_eq!(bed.store.drop_ended_shares(Uuid::nil()).await.unwrap().0, 0, "it may get another child yet");
    let again = redrive(&bed, child).await.unwrap().id;
    rest(&bed, 61).await;
    assert_eq!(
        bed.store.drop_ended_shares(Uuid::nil()).await.unwrap().0,
        0,
        "a retry of a child spends of it"
    );
    spend_and_fail(&bed, again, 10).await;
    rest(&bed, 61).await;
    // A child on its way holds it.
    bed.store.share_limits(&[parent]).await.unwrap();
    assert_eq!(bed.store.drop_ended_shares(Uuid::nil()).await.unwrap().0, 0);
    rest(&bed, 61).await;
    assert_eq!(bed.store.drop_ended_shares(Uuid::nil()).await.unwrap().0, 1);
    assert_eq!(count().await, 1, "that of the tree that is open stays");
    // With a new child it is there again, and knows what was spent.
    bed.enqueue_with(|new| new.parent = Some(parent)).await;
    assert_eq!(stands(&bed, of_task(parent)).await, (1_000, 20, 0));
    // What a person set stays.
    bed.store.set_budget(of_task(open), NanoUsd(2_000), "ada").await.unwrap();
    bed.settle(below, &outcome("done")).await;
    rest(&bed, 3_600).await;
    bed.store.drop_ended_shares(Uuid::nil()).await.unwrap();
    assert_eq!(stands(&bed, of_task(open)).await, (2_000, 0, 0));
    assert_verified(&bed).await;
}

#[tokio::test]
async fn ended_budgets_are_looked_for_a_slice_at_a_time() {
    let bed = Bed::make().await;
    let (parent, child) = parent_with_child(&bed).await;
    let ended = bed.enqueue().await;
    for id in [child, ended] {
        bed.settle(id, &outcome("done")).await;
    }
    // 150 that are open come before 20 that are not: ids of budgets are in the order of their making.
    bed.execute(&format!(
        "INSERT INTO tasks (id, project_id, title, description, duty, acceptance, context, labels, limits, created_by,
                            status, completed_at)
         SELECT gen_random_uuid(), project_id, 'more', '', 'noop', '[]', '{{}}', '{{}}', '{{}}', 'ada', status, completed_at
         FROM tasks, generate_series(1, CASE id WHEN '{parent}' THEN 150 ELSE 20 END)
         WHERE id IN ('{parent}', '{ended}')"
    ))
    .await;
    bed.execute(
        "DELETE FROM budgets;
         INSERT INTO budgets (id, scope, target, period, cap_nano_usd, created_by, day, set_day, updated_at)
         SELECT format('00000000-0000-7000-8000-%s', lpad(row_number() OVER (ORDER BY status = 'succeeded', id)::text,
                       12, '0'))::uuid,
                'task', id, 'total', 5, 'limits', now()::date, now()::date, now() - interval '2 minutes'
         FROM tasks WHERE title = 'more'",
    )
    .await;
    let (gone, after) = bed.store.drop_ended_shares(Uuid::nil()).await.unwrap();
    assert_eq!((gone, after.as_u128() & 0xfff), (0, 0x100), "a hundred were looked at");
    assert_eq!(bed.store.drop_ended_shares(after).await.unwrap(), (20, Uuid::nil()));
    assert_eq!(bed.number("SELECT count(*) FROM budgets").await, 150);
}
