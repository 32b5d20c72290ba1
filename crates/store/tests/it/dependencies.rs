//! Tasks that wait for tasks.

use hive_domain::{
    StatusReason, TaskId, TaskStatus,
    task::DependencyPolicy::{self, Continue, Fail, Skip},
};
use hive_store::Claimant;

use crate::bed::{Bed, outcome};

/// Ends a parent in each way there is.
async fn end(bed: &Bed, id: TaskId, how: &str) {
    match how {
        "succeeded" => bed.settle(id, &outcome("done")).await,
        "failed" => bed.settle(id, &outcome("fail")).await,
        "cancelled" => drop(bed.store.cancel(id, "a person").await.unwrap()),
        "dead" => {
            for _ in 0..3 {
                bed.fail_a_try(id).await;
            }
        }
        "poison" => {
            for _ in 0..2 {
                bed.claim(id).await;
                bed.orphan(id).await;
            }
            for _ in 0..2 {
                bed.claim_isolated(id).await;
                bed.orphan(id).await;
            }
            return bed.assert_stands(id, TaskStatus::Dead, Some(StatusReason::Poison)).await;
        }
        other => panic!("no way to end a task as {other}"),
    }
    assert_eq!(bed.task(id).await.status.as_str(), how);
}

#[tokio::test]
async fn each_policy_answers_each_end() {
    let failed = (TaskStatus::Failed, Some(StatusReason::DependencyFailed));
    let skipped = (TaskStatus::Cancelled, Some(StatusReason::DependencySkipped));
    let runs = (TaskStatus::Ready, None);
    let bed = Bed::make().await;
    for (how, policy, (status, reason)) in [
        ("succeeded", Fail, runs),
        ("succeeded", Skip, runs),
        ("succeeded", Continue, runs),
        ("failed", Fail, failed),
        ("failed", Skip, skipped),
        ("failed", Continue, runs),
        ("cancelled", Fail, failed),
        ("cancelled", Skip, skipped),
        ("cancelled", Continue, runs),
        ("dead", Fail, failed),
        ("dead", Skip, skipped),
        ("dead", Continue, runs),
        ("poison", Fail, failed),
        ("poison", Skip, skipped),
        ("poison", Continue, runs),
    ] {
        let parent = bed.enqueue().await;
        let child = bed.enqueue_after(&[parent], policy).await;
        bed.reconcile().await;
        bed.assert_stands(child, TaskStatus::Pending, Some(StatusReason::Dependencies)).await;
        end(&bed, parent, how).await;
        bed.reconcile().await;
        bed.assert_stands(child, status, reason).await;
        let resolved =
            format!("SELECT count(*) FROM task_dependencies WHERE task_id = '{child}' AND resolved");
        assert_eq!(bed.number(&resolved).await, 1, "{how} {policy}");
        assert_eq!(bed.row_holds(child, "completed_at IS NOT NULL").await, status.is_end());
    }
}

#[tokio::test]
async fn a_diamond_runs_in_order() {
    let bed = Bed::make().await;
    let top = bed.enqueue().await;
    let left = bed.enqueue_after(&[top], Fail).await;
    let right = bed.enqueue_after(&[top], Fail).await;
    let bottom = bed.enqueue_after(&[left, right], Fail).await;
    let waits = (TaskStatus::Pending, Some(StatusReason::Dependencies));
    let ready = (TaskStatus::Ready, None);
    let stands = async |expected: [(TaskId, (TaskStatus, Option<StatusReason>)); 3]| {
        bed.reconcile().await;
        for (id, (status, reason)) in expected {
            bed.assert_stands(id, status, reason).await;
        }
    };
    stands([(left, waits), (right, waits), (bottom, waits)]).await;
    end(&bed, top, "succeeded").await;
    stands([(left, ready), (right, ready), (bottom, waits)]).await;
    end(&bed, left, "succeeded").await;
    stands([(left, (TaskStatus::Succeeded, None)), (right, ready), (bottom, waits)]).await;
    end(&bed, right, "succeeded").await;
    stands([(left, (TaskStatus::Succeeded, None)), (right, (TaskStatus::Succeeded, None)), (bottom, ready)])
        .await;
    assert_eq!(bed.event_kinds(bottom).await.iter().filter(|kind| *kind == "task.ready").count(), 1);
}

#[tokio::test]
async fn the_first_broken_parent_decides_and_the_rest_is_not_waited_for() {
    let bed = Bed::make().await;
    for (policy, status) in [(Fail, TaskStatus::Failed), (Skip, TaskStatus::Cancelled)] {
        let (broken, slow) = (bed.enqueue().await, bed.enqueue().await);
        let child = bed.enqueue_after(&[broken, slow], policy).await;
        end(&bed, broken, "failed").await;
        bed.reconcile().await;
        assert_eq!(bed.task(child).await.status, status);
        let before = bed.task(child).await.event_seq;
        end(&bed, slow, "succeeded").await;
        bed.reconcile().await;
        assert_eq!(bed.task(child).await.event_seq, before, "an end is an end");
    }
    let (broken, slow) = (bed.enqueue().await, bed.enqueue().await);
    let child = bed.enqueue_after(&[broken, slow], Continue).await;
    end(&bed, broken, "failed").await;
    bed.reconcile().await;
    bed.assert_stands(child, TaskStatus::Pending, Some(StatusReason::Dependencies)).await;
    end(&bed, slow, "succeeded").await;
    bed.reconcile().await;
    bed.assert_stands(child, TaskStatus::Ready, None).await;
}

#[tokio::test]
async fn a_failure_runs_down_a_chain_in_one_pass() {
    let bed = Bed::make().await;
    let first = bed.enqueue().await;
    let mut chain = vec![first];
    for _ in 0..6 {
        chain.push(bed.enqueue_after(&chain[chain.len() - 1..], Fail).await);
    }
    let last = bed.enqueue_after(&chain[6..], Continue).await;
    end(&bed, first, "failed").await;
    bed.reconcile().await;
    for id in &chain[1..] {
        bed.assert_stands(*id, TaskStatus::Failed, Some(StatusReason::DependencyFailed)).await;
    }
    bed.assert_stands(last, TaskStatus::Ready, None).await;
}

#[tokio::test]
async fn a_dependency_that_ended_before_the_task_came_counts() {
    let bed = Bed::make().await;
    for (how, status) in [("succeeded", TaskStatus::Ready), ("failed", TaskStatus::Failed)] {
        let parent = bed.enqueue().await;
        end(&bed, parent, how).await;
        let child = bed.enqueue_after(&[parent], Fail).await;
        let pass = bed.reconcile().await;
        assert_eq!(bed.task(child).await.status, status);
        assert_eq!(pass.released.iter().filter(|id| **id == child).count(), 1, "told once");
    }
}

#[tokio::test]
async fn a_released_task_still_waits_for_its_time() {
    let bed = Bed::make().await;
    let parent = bed.enqueue().await;
    let later: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("SELECT now() + interval '50 min'").fetch_one(&bed.pool).await.unwrap();
    let child = bed
        .enqueue_with(|new| {
            new.dependencies = vec![parent];
            new.run_at = Some(later);
        })
        .await;
    end(&bed, parent, "succeeded").await;
    bed.reconcile().await;
    bed.assert_stands(child, TaskStatus::Pending, Some(StatusReason::Scheduled)).await;
    bed.let_time_pass(child).await;
    bed.reconcile().await;
    bed.assert_stands(child, TaskStatus::Ready, None).await;
}

#[tokio::test]
async fn a_time_that_came_does_not_release_what_waits_for_a_task() {
    let bed = Bed::make().await;
    let parent = bed.enqueue().await;
    let child = bed.enqueue_after(&[parent], Fail).await;
    bed.let_time_pass(child).await;
    bed.reconcile().await;
    bed.assert_stands(child, TaskStatus::Pending, Some(StatusReason::Dependencies)).await;
}

#[tokio::test]
async fn releasing_for_one_parent_leaves_the_others_children_alone() {
    let bed = Bed::make().await;
    let (one, other) = (bed.enqueue().await, bed.enqueue().await);
    let (mine, theirs) = (bed.enqueue_after(&[one], Fail).await, bed.enqueue_after(&[other], Fail).await);
    end(&bed, one, "succeeded").await;
    end(&bed, other, "succeeded").await;
    let before = bed.rows(theirs).await;
    assert_eq!(bed.store.release_dependents(Some(one)).await.unwrap(), [mine]);
    assert_eq!(bed.rows(theirs).await, before);
    assert_eq!(bed.store.release_dependents(Some(one)).await.unwrap(), [], "the second time finds nothing");
}

/// Both workers settle and release at the same moment. Whoever comes second must see the edge of the first; there is
/// no scheduler here to mend it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_parents_that_end_together_never_leave_the_child_stuck() {
    let bed = Bed::make().await;
    for round in 0..50 {
        let parents = [bed.enqueue().await, bed.enqueue().await];
        let policy = [Fail, Skip, Continue][round % 3];
        let children = [
            bed.enqueue_after(&parents, policy).await,
            bed.enqueue_after(&[parents[1], parents[0]], policy).await,
        ];
        let start = std::sync::Arc::new(tokio::sync::Barrier::new(2));
        let ends = parents.map(|parent| {
            let (store, start) = (bed.store.clone(), std::sync::Arc::clone(&start));
            tokio::spawn(async move {
                let lease = store.claim(parent, 0, &Claimant::ordinary("worker")).await.unwrap().unwrap();
                start.wait().await;
                let settled = store.settle(&lease, &outcome("done")).await.unwrap();
                assert!(settled.has_dependents);
                store.release_dependents(Some(parent)).await.unwrap()
            })
        });
        let mut released = Vec::new();
        for end in ends {
            released.extend(end.await.unwrap());
        }
        released.sort();
        assert_eq!(released, children, "round {round}");
        for child in children {
            bed.assert_stands(child, TaskStatus::Pending, Some(StatusReason::Scheduled)).await;
        }
    }
    let policies: &[DependencyPolicy] = DependencyPolicy::ALL;
    assert_eq!(policies, [Fail, Skip, Continue]);
}
