//! Trying again what ended without success.

use hive_domain::{
    ActionKind, StatusReason, TaskId, TaskStatus,
    task::{DependencyPolicy::Fail, Task},
};
use hive_store::{Attempt, Error, KeptAnswer, NewBulkAction, Result, TaskFilter};
use serde_json::Value;

use crate::bed::{Bed, outcome};

pub(crate) async fn redrive(bed: &Bed, id: TaskId) -> Result<Task> {
    let Attempt::First(mut once) = bed.store.attempt(None).await? else { panic!("no key, no answer") };
    let task = once.redrive(id, "ada").await?;
    once.finish(&KeptAnswer { status: 201, location: None, body: String::new() }).await?;
    Ok(task)
}

async fn die(bed: &Bed, id: TaskId) {
    for _ in 0..3 {
        bed.let_time_pass(id).await;
        bed.reconcile().await;
        bed.settle(id, &outcome("retry")).await;
    }
    assert_eq!(bed.task(id).await.status, TaskStatus::Dead);
}

#[tokio::test]
async fn the_new_task_has_the_whole_input_and_nothing_of_the_past() {
    let bed = Bed::make().await;
    let parent = bed.enqueue().await;
    let id = bed
        .enqueue_with(|new| {
            new.parent = Some(parent);
            new.labels = [("team".to_owned(), "shop".to_owned())].into();
            new.concurrency_key = Some("k".to_owned());
            new.max_attempts = 3;
        })
        .await;
    let mut lease = bed.claim(id).await;
    bed.append_note(&mut lease, "a step").await;
    bed.orphan(id).await;
    bed.settle(id, &outcome("fail")).await;
    let before = bed.rows(id).await;
    let new = redrive(&bed, id).await.unwrap();
    assert_eq!(bed.rows(id).await, before, "the old one stays as it was");
    assert_eq!(
        (new.status, new.redriven_from, new.epoch, new.attempt),
        (TaskStatus::Pending, Some(id), 0, 0)
    );
    assert_eq!(new.created_by, "ada");

    // Every column is either the same or one that a run or the new beginning sets.
    let (old, fresh) = (&before["task"], &bed.rows(new.id).await["task"]);
    let differs: Vec<&str> = old
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, value)| fresh[*name] != **value)
        .map(|(name, _)| name.as_str())
        .collect();
    for name in &differs {
        assert!(
            [
                "id",
                "status",
                "status_reason",
                "status_detail",
                "result",
                "epoch",
                "attempt",
                "agent_version",
                // As the agent's: pinned by its first claim.
                "routing_version",
                "next_seq",
                "event_seq",
                "started_at",
                "claimed_at",
                "completed_at",
                "created_at",
                "updated_at",
                "run_at",
                "run_seconds",
                "announced_at",
                "created_by",
                "redriven_from",
                "deaths",
                "isolated",
                "journal_format",
                "error_class",
            ]
            .contains(name),
            "{name} was {} and is {}",
            old[*name],
            fresh[*name]
        );
    }
    let event = bed.events(new.id).await.remove(0);
    assert_eq!(
        (event.kind.as_str(), &event.data["redriven_from"]),
        ("task.created", &Value::from(id.to_string()))
    );
    bed.reconcile().await;
    bed.settle(new.id, &outcome("done")).await;
}

#[tokio::test]
async fn only_what_ended_without_success_is_tried_again() {
    let bed = Bed::make().await;
    let (failed, dead, cancelled) = (bed.enqueue().await, bed.enqueue().await, bed.enqueue().await);
    bed.settle(failed, &outcome("fail")).await;
    die(&bed, dead).await;
    bed.store.cancel(cancelled, "ada").await.unwrap();
    for id in [failed, dead, cancelled] {
        assert_eq!(redrive(&bed, id).await.unwrap().redriven_from, Some(id));
    }
    let (done, running, ready) = (bed.enqueue().await, bed.enqueue().await, bed.enqueue().await);
    bed.settle(done, &outcome("done")).await;
    bed.claim(running).await;
    let before = bed.number("SELECT count(*) FROM tasks").await;
    for id in [done, running, ready] {
        let error = redrive(&bed, id).await.unwrap_err();
        assert!(matches!(error, Error::Conflict { code: "task_not_retryable", .. }), "{error:?}");
    }
    let missing = redrive(&bed, TaskId::new()).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing:?}");
    assert_eq!(bed.number("SELECT count(*) FROM tasks").await, before);
}

#[tokio::test]
async fn one_of_many_tries_at_once_makes_the_successor_and_the_others_name_it() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    bed.settle(id, &outcome("fail")).await;
    let tries = futures::future::join_all((0..8).map(|_| redrive(&bed, id))).await;
    let (made, refused): (Vec<_>, Vec<_>) = tries.into_iter().partition(Result::is_ok);
    let made: Vec<TaskId> = made.into_iter().map(|made| made.unwrap().id).collect();
    assert_eq!((made.len(), refused.len()), (1, 7));
    for error in refused.into_iter().map(Result::unwrap_err) {
        assert!(
            matches!(error, Error::Redriven { task, successor } if task == id && successor == made[0]),
            "{error:?}"
        );
    }
    assert_eq!(bed.number("SELECT count(*) FROM tasks WHERE redriven_from IS NOT NULL").await, 1);
    // The line goes on at its end.
    bed.settle(made[0], &outcome("fail")).await;
    assert_eq!(redrive(&bed, made[0]).await.unwrap().redriven_from, Some(made[0]));
}

#[tokio::test]
async fn it_waits_for_what_became_of_the_tasks_it_waited_for() {
    let bed = Bed::make().await;
    let (fine, broken) = (bed.enqueue().await, bed.enqueue().await);
    let last = bed.enqueue_after(&[fine, broken], Fail).await;
    bed.settle(fine, &outcome("done")).await;
    bed.settle(broken, &outcome("fail")).await;
    bed.reconcile().await;
    bed.assert_stands(last, TaskStatus::Failed, Some(StatusReason::DependencyFailed)).await;
    let mended = redrive(&bed, broken).await.unwrap().id;
    let again = redrive(&bed, last).await.unwrap();
    assert_eq!((again.status, again.reason), (TaskStatus::Pending, Some(StatusReason::Dependencies)));
    assert_eq!(again.dependencies, [fine, mended]);
    bed.reconcile().await;
    bed.assert_stands(again.id, TaskStatus::Pending, Some(StatusReason::Dependencies)).await;
    bed.settle(mended, &outcome("done")).await;
    bed.reconcile().await;
    bed.assert_stands(again.id, TaskStatus::Ready, None).await;
}

#[tokio::test]
async fn a_part_of_a_cancelled_task_and_a_passed_deadline_do_not_end_it_again() {
    let bed = Bed::make().await;
    let parent = bed.enqueue().await;
    let later: chrono::DateTime<chrono::Utc> = "2999-01-01T00:00:00Z".parse().unwrap();
    let part = async || {
        bed.enqueue_with(|new| {
            new.parent = Some(parent);
            new.deadline = Some(later);
        })
        .await
    };
    let (child, other) = (part().await, part().await);
    bed.store.cancel(parent, "ada").await.unwrap();
    let again = redrive(&bed, child).await.unwrap();
    assert_eq!((again.parent, again.deadline), (None, Some(later)));
    bed.execute(&format!("UPDATE tasks SET deadline = now() - interval '1 s' WHERE id = '{other}'")).await;
    assert_eq!(redrive(&bed, other).await.unwrap().deadline, None);
}

#[tokio::test]
async fn the_dead_are_listed_with_what_was_made_of_them() {
    let bed = Bed::make().await;
    let (one, other, failed) = (bed.enqueue().await, bed.enqueue().await, bed.enqueue().await);
    die(&bed, one).await;
    die(&bed, other).await;
    bed.settle(failed, &outcome("fail")).await;
    bed.execute(&format!("UPDATE tasks SET error_class = 'network' WHERE id = '{other}'")).await;
    let newest = redrive(&bed, one).await.unwrap().id;
    let shown = async |filter: TaskFilter| {
        let page = bed.store.dead_letters(&filter, None, 10).await.unwrap();
        page.items.into_iter().map(|letter| (letter.task.id, letter.redriven_to)).collect::<Vec<_>>()
    };
    let all = TaskFilter::default;
    assert_eq!(shown(all()).await, [(other, None), (one, Some(newest))]);
    assert_eq!(shown(TaskFilter { error_class: Some("network".to_owned()), ..all() }).await, [(other, None)]);
    assert_eq!(shown(TaskFilter { redriven: Some(true), ..all() }).await, [(one, Some(newest))]);
    assert_eq!(shown(TaskFilter { redriven: Some(false), ..all() }).await, [(other, None)]);
    assert_eq!(shown(TaskFilter { reason: Some(StatusReason::Poison), ..all() }).await, []);
    let died = bed.task(one).await.completed_at;
    assert_eq!(shown(TaskFilter { ended_before: died, ..all() }).await, []);
    assert_eq!(shown(TaskFilter { ended_since: died, ..all() }).await.len(), 2);
    let page = bed.store.dead_letters(&all(), None, 1).await.unwrap();
    assert_eq!(page.next, Some(other));
    assert_eq!(bed.store.dead_letters(&all(), page.next, 1).await.unwrap().items[0].task.id, one);
    let letter = &bed.store.dead_letters(&all(), page.next, 1).await.unwrap().items[0];
    assert_eq!(letter.task.attempt, 3);
    assert!(letter.task.detail.as_ref().unwrap().contains("a sentence"));
}

/// Two tasks of one body, the first of which waits for the second; the second failed, and the first with it.
async fn failed_with_the_later_one(bed: &Bed) -> [TaskId; 2] {
    let (mut first, second) = (bed.new_task(), bed.new_task());
    first.dependencies = vec![second.id];
    assert!(first.id < second.id);
    let ids = [first.id, second.id];
    bed.store.enqueue_many(&[first, second]).await.unwrap();
    bed.settle(ids[1], &outcome("fail")).await;
    bed.reconcile().await;
    bed.assert_stands(ids[0], TaskStatus::Failed, Some(StatusReason::DependencyFailed)).await;
    ids
}

async fn successor(bed: &Bed, of: TaskId) -> TaskId {
    let id = sqlx::query_scalar::<_, uuid::Uuid>("SELECT id FROM tasks WHERE redriven_from = $1");
    id.bind(of.uuid()).fetch_one(&bed.pool).await.unwrap().into()
}

#[tokio::test]
async fn what_waits_for_a_later_task_waits_for_what_became_of_it() {
    // In one slice, and in slices of one task each.
    for failures in [0, 6] {
        let bed = Bed::make().await;
        let [first, second] = failed_with_the_later_one(&bed).await;
        let new = NewBulkAction {
            kind: ActionKind::Redrive,
            filter: TaskFilter { statuses: vec![TaskStatus::Failed], ..TaskFilter::default() },
            shown: Value::Null,
            priority: None,
            created_by: "ada".to_owned(),
        };
        let Attempt::First(mut once) = bed.store.attempt(None).await.unwrap() else { panic!("no key") };
        let action = once.begin_bulk_action(&new).await.unwrap().id;
        once.finish(&KeptAnswer { status: 202, location: None, body: String::new() }).await.unwrap();
        bed.execute(&format!("UPDATE task_actions SET failures = {failures}")).await;
        while bed.store.work_on_bulk_actions().await.unwrap().is_some() {}
        let action = bed.store.bulk_action(action).await.unwrap();
        assert_eq!((action.matched, action.done, action.skipped), (2, 2, 0));
        let (again, mended) = (successor(&bed, first).await, successor(&bed, second).await);
        assert_eq!(bed.task(again).await.dependencies, [mended]);
        bed.reconcile().await;
        bed.assert_stands(again, TaskStatus::Pending, Some(StatusReason::Dependencies)).await;
        bed.settle(mended, &outcome("done")).await;
        bed.reconcile().await;
        bed.assert_stands(again, TaskStatus::Ready, None).await;
    }
}

#[tokio::test]
async fn it_waits_for_a_successor_whose_id_a_clock_that_is_ahead_made() {
    let bed = Bed::make().await;
    let [first, second] = failed_with_the_later_one(&bed).await;
    let mended = redrive(&bed, second).await.unwrap().id;
    let ahead = TaskId::from(uuid::Uuid::max());
    bed.execute(&format!("UPDATE tasks SET id = '{ahead}' WHERE id = '{mended}'")).await;
    assert_eq!(redrive(&bed, first).await.unwrap().dependencies, [ahead]);
}
