//! What a person may do to a task.

use hive_domain::{AgentId, AgentStatus, StatusReason, TaskId, TaskStatus, task::Performer};
use hive_store::{Claimant, Error, NewStep};

use crate::bed::{Bed, new_agent, note, outcome};

fn conflict(error: &Error, expected: &str) {
    assert!(matches!(error, Error::Conflict { code, .. } if *code == expected), "{error:?}");
}

#[tokio::test]
async fn cancelling_fences_the_run_at_once() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let task = bed.store.cancel(id, "ada").await.unwrap();
    assert_eq!((task.status, task.reason), (TaskStatus::Cancelled, Some(StatusReason::Requested)));
    assert_eq!((task.epoch, task.detail.as_deref()), (2, Some("cancelled by ada")));
    assert!(bed.row_holds(id, "worker IS NULL AND lease_until IS NULL AND completed_at IS NOT NULL").await);
    let before = bed.rows(id).await;
    let error = bed.store.append(&mut lease, &NewStep::plain(&note("too late"))).await.unwrap_err();
    assert!(matches!(error, Error::Fenced { .. }), "{error:?}");
    let error = bed.store.settle(&lease, &outcome("done")).await.unwrap_err();
    assert!(matches!(error, Error::Fenced { .. }), "{error:?}");
    assert!(bed.store.renew(&[(id, lease.epoch())]).await.unwrap().is_empty());
    assert_eq!(bed.rows(id).await, before);
}

#[tokio::test]
async fn cancelling_twice_is_fine_and_done_once() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let cancels = (0..10).map(|_| {
        let store = bed.store.clone();
        tokio::spawn(async move { store.cancel(id, "ada").await })
    });
    for cancel in cancels.collect::<Vec<_>>() {
        assert_eq!(cancel.await.unwrap().unwrap().status, TaskStatus::Cancelled);
    }
    assert_eq!(bed.event_kinds(id).await, ["task.created", "task.cancelled"]);
    assert_eq!(bed.task(id).await.epoch, 1);
}

#[tokio::test]
async fn what_ended_otherwise_cannot_be_cancelled() {
    let bed = Bed::make().await;
    for name in ["done", "fail"] {
        let id = bed.enqueue().await;
        bed.settle(id, &outcome(name)).await;
        let before = bed.rows(id).await;
        conflict(&bed.store.cancel(id, "ada").await.unwrap_err(), "task_ended");
        assert_eq!(bed.rows(id).await, before);
    }
    let missing = bed.store.cancel(TaskId::new(), "ada").await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing:?}");
}

#[tokio::test]
async fn a_stale_ticket_of_a_cancelled_task_gets_nothing() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    bed.store.cancel(id, "ada").await.unwrap();
    for epoch in 0..3 {
        assert!(bed.store.claim(id, epoch, &Claimant::ordinary("worker")).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_task_that_has_not_begun_goes_to_another_agent() {
    let bed = Bed::make().await;
    let other = new_agent("tester", "qa");
    bed.store.create_agent(&other).await.unwrap();
    let id = bed.enqueue().await;
    let task = bed.store.assign(id, other.id, "ada").await.unwrap();
    assert_eq!((task.agent.unwrap().id, task.status, task.epoch), (other.id, TaskStatus::Ready, 0));
    let event = bed.events(id).await.pop().unwrap();
    assert_eq!(event.kind, "task.assigned");
    assert_eq!(event.data, serde_json::json!({ "actor": "ada", "agent_id": other.id }));
    assert_eq!(bed.claim(id).await.leased.agent.unwrap().id, other.id);

    // The run has begun: through every later state it keeps the agent.
    conflict(&bed.store.assign(id, bed.agent, "ada").await.unwrap_err(), "task_not_assignable");
    bed.orphan(id).await;
    conflict(&bed.store.assign(id, bed.agent, "ada").await.unwrap_err(), "task_not_assignable");
    bed.settle(id, &outcome("wait")).await;
    conflict(&bed.store.assign(id, bed.agent, "ada").await.unwrap_err(), "task_not_assignable");
    assert_eq!(bed.task(id).await.agent.unwrap().id, other.id);
}

#[tokio::test]
async fn an_assignment_names_what_is_wrong_with_it() {
    let bed = Bed::make().await;
    let retired = new_agent("retired", "qa");
    bed.store.create_agent(&retired).await.unwrap();
    bed.store.update_agent(retired.id, None, None, Some(AgentStatus::Inactive), None).await.unwrap();
    let id = bed.enqueue().await;
    let before = bed.rows(id).await;
    for agent in [AgentId::new(), retired.id] {
        let error = bed.store.assign(id, agent, "ada").await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "/agent_id", .. }), "{error:?}");
    }
    assert_eq!(bed.rows(id).await, before);
    let missing = bed.store.assign(TaskId::new(), bed.agent, "ada").await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing:?}");
    let duty = bed.enqueue_with(|new| new.performer = Performer::Noop).await;
    conflict(&bed.store.assign(duty, bed.agent, "ada").await.unwrap_err(), "task_not_assignable");
}

#[tokio::test]
async fn completion_goes_through_the_checks() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    bed.fail_a_try(id).await;
    bed.settle(id, &outcome("wait")).await;
    assert_eq!(bed.task(id).await.attempt, 1);
    let task = bed.store.request_completion(id, "ada").await.unwrap();
    assert_eq!((task.status, task.reason, task.verify_only), (TaskStatus::Ready, None, true));
    assert_eq!(task.attempt, 0, "a person's wish is a fresh start");
    assert!(bed.row_holds(id, "announced_at IS NOT NULL AND run_at <= now()").await);
    assert_eq!(bed.event_kinds(id).await.last().unwrap(), "task.completion_requested");

    let lease = bed.store.claim(id, task.epoch, &Claimant::ordinary("worker")).await.unwrap().unwrap();
    assert!(lease.leased.verify_only);
    bed.orphan(id).await;
    let lease = bed.claim(id).await;
    assert!(lease.leased.verify_only, "a worker's death does not forget the wish");
    bed.settle_with(&lease, &outcome("retry")).await;
    assert!(bed.task(id).await.verify_only, "neither does a try that is made again");
    bed.let_time_pass(id).await;
    bed.reconcile().await;
    bed.settle(id, &outcome("fail")).await;
    assert!(!bed.task(id).await.verify_only, "its end does");
}

#[tokio::test]
async fn completion_reopens_a_failure_and_nothing_else_that_ended() {
    let bed = Bed::make().await;
    let failed = bed.enqueue().await;
    bed.settle(failed, &outcome("fail")).await;
    let task = bed.store.request_completion(failed, "ada").await.unwrap();
    assert_eq!((task.status, task.completed_at), (TaskStatus::Ready, None));
    assert!(bed.store.claim(failed, task.epoch, &Claimant::ordinary("worker")).await.unwrap().is_some());

    let done = bed.enqueue().await;
    bed.settle(done, &outcome("done")).await;
    let cancelled = bed.enqueue().await;
    bed.store.cancel(cancelled, "ada").await.unwrap();
    let running = bed.enqueue().await;
    bed.claim(running).await;
    let duty = bed.enqueue_with(|new| new.performer = Performer::Noop).await;
    for id in [done, cancelled, running, duty] {
        let before = bed.rows(id).await;
        conflict(&bed.store.request_completion(id, "ada").await.unwrap_err(), "task_not_completable");
        assert_eq!(bed.rows(id).await, before);
    }
    let missing = bed.store.request_completion(TaskId::new(), "ada").await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing:?}");
}
