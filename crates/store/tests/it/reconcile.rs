//! Finding again what was lost.

use std::collections::BTreeSet;

use hive_domain::{Priority, StatusReason, TaskId, TaskStatus, task::DependencyPolicy};
use hive_store::Announcement;
use serde_json::json;

use crate::bed::{Bed, WORKER, connect, look, outcome};

fn tasks(announcements: &[Announcement]) -> Vec<TaskId> {
    announcements.iter().map(|announcement| announcement.task).collect()
}

#[tokio::test]
async fn a_dead_workers_task_is_ready_again() {
    let bed = Bed::make().await;
    let (lost, held) = (bed.enqueue().await, bed.enqueue().await);
    bed.claim(lost).await;
    bed.claim(held).await;
    bed.let_time_pass(lost).await;
    let before = bed.rows(held).await;
    let pass = bed.reconcile().await;
    assert_eq!(pass.orphaned, [lost]);
    assert_eq!(bed.rows(held).await, before, "a lease that runs is left alone");
    bed.assert_stands(lost, TaskStatus::Ready, Some(StatusReason::Orphaned)).await;
    let task = bed.task(lost).await;
    assert_eq!((task.epoch, task.attempt, task.deaths), (1, 0, 1), "a death costs no attempt");
    assert!(task.detail.unwrap().contains(WORKER));
    let event = bed.events(lost).await.pop().unwrap();
    assert_eq!(
        (event.kind.as_str(), event.data),
        ("task.orphaned", json!({ "worker": WORKER, "deaths": 1, "reason": "orphaned" }))
    );
    let ticket =
        Announcement { task: lost, epoch: 1, priority: Priority::default(), isolated: false, first: true };
    assert_eq!(pass.announce, [ticket], "the ticket follows in the same pass, and stands first");
}

#[tokio::test]
async fn tries_without_progress_end_in_death() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    for attempt in 1..=3 {
        // A worker's death between the tries costs none of them.
        if attempt == 2 {
            bed.claim(id).await;
            bed.orphan(id).await;
        }
        let lease = bed.claim(id).await;
        assert_eq!(lease.leased.attempt, attempt);
        bed.settle_with(&lease, &outcome("retry")).await;
        bed.let_time_pass(id).await;
        bed.store.reconcile(&look(0)).await.unwrap();
    }
    bed.assert_stands(id, TaskStatus::Dead, Some(StatusReason::AttemptsExhausted)).await;
    assert!(bed.row_holds(id, "completed_at IS NOT NULL AND worker IS NULL").await);
    assert_eq!(bed.event_kinds(id).await.last().unwrap(), "task.dead");
    let pass = bed.reconcile().await;
    assert!(pass.orphaned.is_empty() && pass.released.is_empty() && pass.announce.is_empty());
}

#[tokio::test]
async fn progress_resets_the_count() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    for _ in 0..5 {
        let mut lease = bed.claim(id).await;
        bed.append_note(&mut lease, "a step").await;
        bed.settle_with(&lease, &outcome("retry")).await;
        bed.let_time_pass(id).await;
        bed.reconcile().await;
        assert_eq!(bed.task(id).await.attempt, 1);
        bed.fail_a_try(id).await;
        bed.assert_stands(id, TaskStatus::Ready, None).await;
        assert_eq!(bed.task(id).await.attempt, 2);
    }
    bed.fail_a_try(id).await;
    bed.assert_stands(id, TaskStatus::Dead, Some(StatusReason::AttemptsExhausted)).await;
}

#[tokio::test]
async fn a_time_that_came_wakes_a_task() {
    let bed = Bed::make().await;
    let mut parked = Vec::new();
    for name in ["wait", "retry"] {
        let id = bed.enqueue().await;
        bed.settle(id, &outcome(name)).await;
        parked.push(id);
    }
    let hour: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("SELECT now() + interval '59 min'").fetch_one(&bed.pool).await.unwrap();
    parked.push(bed.enqueue_with(|new| new.run_at = Some(hour)).await);

    let pass = bed.reconcile().await;
    assert!(pass.released.is_empty() && pass.announce.is_empty(), "no time has come yet: {pass:?}");
    for id in &parked {
        bed.let_time_pass(*id).await;
    }
    let pass = bed.reconcile().await;
    let all: BTreeSet<TaskId> = parked.iter().copied().collect();
    assert_eq!(pass.released.into_iter().collect::<BTreeSet<_>>(), all);
    assert_eq!(tasks(&pass.announce).into_iter().collect::<BTreeSet<_>>(), all);
    for id in parked {
        bed.assert_stands(id, TaskStatus::Ready, None).await;
        assert_eq!(bed.event_kinds(id).await.last().unwrap(), "task.ready");
    }
}

#[tokio::test]
async fn a_ticket_is_written_again_only_when_it_is_old() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    assert!(bed.reconcile().await.announce.is_empty(), "the one who enqueued wrote a ticket just now");
    bed.execute("UPDATE tasks SET announced_at = now() - interval '4 s'").await;
    assert!(bed.reconcile().await.announce.is_empty());
    bed.execute("UPDATE tasks SET announced_at = now() - interval '6 s'").await;
    assert_eq!(tasks(&bed.reconcile().await.announce), [id]);
    assert!(bed.reconcile().await.announce.is_empty(), "and not twice");
    bed.execute("UPDATE tasks SET announced_at = NULL").await;
    assert_eq!(tasks(&bed.reconcile().await.announce), [id]);
    let epoch = bed.claim(id).await.epoch();
    bed.let_time_pass(id).await;
    sqlx::query("UPDATE tasks SET lease_until = now() + interval '1 min'").execute(&bed.pool).await.unwrap();
    assert!(bed.reconcile().await.announce.is_empty(), "a running task needs none");
    assert_eq!(epoch, 1);
}

#[tokio::test]
async fn the_most_urgent_tasks_get_the_room_there_is() {
    let bed = Bed::make().await;
    let mut wanted = Vec::new();
    for priority in [5, 9, 1, 3, 7] {
        let id = bed.enqueue_with(|new| new.priority = Priority::try_from(priority).unwrap()).await;
        bed.let_time_pass(id).await;
        wanted.push((priority, id));
    }
    wanted.sort();
    let wanted: Vec<TaskId> = wanted.into_iter().map(|(_, id)| id).collect();
    let first = bed.store.reconcile(&look(2)).await.unwrap();
    assert_eq!(tasks(&first.announce), wanted[..2]);
    let rest = bed.store.reconcile(&look(100)).await.unwrap();
    assert_eq!(tasks(&rest.announce), wanted[2..]);
}

#[tokio::test]
async fn without_room_everything_but_tickets_goes_on() {
    let bed = Bed::make().await;
    let (lost, parked, ready) = (bed.enqueue().await, bed.enqueue().await, bed.enqueue().await);
    let child = bed.enqueue_after(&[ready], DependencyPolicy::Fail).await;
    bed.claim(lost).await;
    bed.settle(parked, &outcome("wait")).await;
    bed.store.cancel(ready, "a person").await.unwrap();
    let other = bed.enqueue().await;
    for id in [lost, parked, other] {
        bed.let_time_pass(id).await;
    }
    for room in [0, -5] {
        let pass = bed.store.reconcile(&look(room)).await.unwrap();
        assert!(pass.announce.is_empty());
    }
    bed.assert_stands(lost, TaskStatus::Ready, Some(StatusReason::Orphaned)).await;
    bed.assert_stands(parked, TaskStatus::Ready, None).await;
    bed.assert_stands(child, TaskStatus::Failed, Some(StatusReason::DependencyFailed)).await;
    let pass = bed.reconcile().await;
    assert_eq!(
        tasks(&pass.announce).into_iter().collect::<BTreeSet<_>>(),
        [lost, parked, other].into(),
        "the tickets come when there is room"
    );
}

#[tokio::test]
async fn many_schedulers_do_each_thing_once() {
    let bed = Bed::make().await;
    let (mut expected, mut lost, mut parked) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for n in 0..60 {
        let id = bed.enqueue().await;
        match n % 3 {
            0 => {
                bed.claim(id).await;
                lost.insert(id);
            }
            1 => {
                bed.settle(id, &outcome("wait")).await;
                parked.insert(id);
            }
            _ => {}
        }
        expected.insert(id);
        bed.let_time_pass(id).await;
    }
    let schedulers = [connect(&bed.database), connect(&bed.database), connect(&bed.database)];
    let look = look(1_000);
    let passes = schedulers.each_ref().map(|store| store.reconcile(&look));
    let [a, b, c] = passes;
    let (a, b, c) = tokio::join!(a, b, c);
    let mut passes = vec![a.unwrap(), b.unwrap(), c.unwrap()];
    // What one pass skipped because another held it is found by the next.
    passes.push(bed.reconcile().await);

    let mut announced: Vec<TaskId> = passes.iter().flat_map(|pass| tasks(&pass.announce)).collect();
    let mut orphaned: Vec<TaskId> = passes.iter().flat_map(|pass| pass.orphaned.clone()).collect();
    let mut released: Vec<TaskId> = passes.iter().flat_map(|pass| pass.released.clone()).collect();
    for (found, expected) in [(&mut announced, expected), (&mut orphaned, lost), (&mut released, parked)] {
        found.sort();
        assert_eq!(*found, expected.into_iter().collect::<Vec<_>>(), "each once");
    }
}

#[tokio::test]
async fn a_row_that_somebody_holds_does_not_stop_the_pass() {
    let bed = Bed::make().await;
    let parent = bed.enqueue().await;
    let children = [
        bed.enqueue_after(&[parent], DependencyPolicy::Fail).await,
        bed.enqueue_after(&[parent], DependencyPolicy::Fail).await,
    ];
    bed.store.cancel(parent, "a person").await.unwrap();
    let parked = [bed.enqueue().await, bed.enqueue().await];
    let ready = [bed.enqueue().await, bed.enqueue().await];
    let lost = [bed.enqueue().await, bed.enqueue().await];
    for at in [0, 1] {
        bed.settle(parked[at], &outcome("wait")).await;
        bed.claim(lost[at]).await;
        for id in [parked[at], ready[at], lost[at]] {
            bed.let_time_pass(id).await;
        }
    }
    // The pass that finds the second of each, and then the one that finds the first.
    let mut holder = bed.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM tasks WHERE id = ANY ($1) FOR UPDATE")
        .bind([children[0].uuid(), parked[0].uuid(), ready[0].uuid(), lost[0].uuid()])
        .execute(&mut *holder)
        .await
        .unwrap();
    let while_held = bed.reconcile().await;
    holder.rollback().await.unwrap();
    let afterwards = bed.reconcile().await;
    for (pass, at) in [(while_held, 1), (afterwards, 0)] {
        assert_eq!(pass.orphaned, [lost[at]]);
        let moved: BTreeSet<TaskId> = pass.released.into_iter().collect();
        assert_eq!(moved, [children[at], parked[at]].into());
        let announced: BTreeSet<TaskId> = tasks(&pass.announce).into_iter().collect();
        assert_eq!(announced, [parked[at], ready[at], lost[at]].into());
    }
}

/// A new task refers to its parents, and each event and step to its task: none of them waits for a pass that looks at
/// these rows.
#[tokio::test]
async fn a_row_that_is_being_released_can_be_referred_to() {
    let bed = Bed::make().await;
    // The release gives up after the lock timeout; a machine that is slower than that for one insert tries again.
    for _ in 0..5 {
        if refers_during_release(&bed).await {
            return;
        }
    }
    panic!("the insert waited for the release each time");
}

/// Stops a release at the edge it notes, with the child's row locked, and adds a task that waits for the child. True
/// when that was done before the release gave up.
async fn refers_during_release(bed: &Bed) -> bool {
    let parent = bed.enqueue().await;
    let child = bed.enqueue_after(&[parent], DependencyPolicy::Fail).await;
    bed.store.cancel(parent, "a person").await.unwrap();
    let mut holder = bed.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM task_dependencies FOR UPDATE").execute(&mut *holder).await.unwrap();
    let store = bed.store.clone();
    let release = tokio::spawn(async move { store.release_dependents(Some(parent)).await });
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while bed.number(waits).await == 0 && !release.is_finished() {
        tokio::task::yield_now().await;
    }
    let grandchild = bed.enqueue_after(&[child], DependencyPolicy::Fail).await;
    let in_time = !release.is_finished();
    holder.rollback().await.unwrap();
    drop(release.await.unwrap());
    bed.reconcile().await;
    bed.assert_stands(grandchild, TaskStatus::Failed, Some(StatusReason::DependencyFailed)).await;
    in_time
}
