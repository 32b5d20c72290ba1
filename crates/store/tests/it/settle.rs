//! How a run ends.

use std::time::Duration;

use hive_domain::{Outcome, StatusReason, TaskStatus, journal::TaskResult, task::DependencyPolicy};
use hive_store::{Announcement, Claimant};
use serde_json::json;

use crate::bed::{Bed, outcome};

/// `run_at` lies a minute ahead of the database's clock, give or take what the test took.
const IN_A_MINUTE: &str = "run_at BETWEEN now() + interval '50 s' AND now() + interval '60 s'";
const NOW: &str = "run_at BETWEEN now() - interval '10 s' AND now()";
const NOT_HELD: &str = "worker IS NULL AND lease_until IS NULL";

#[tokio::test]
async fn done_ends_the_task_with_its_result() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    let result = TaskResult {
        summary: "all of it".to_owned(),
        branch: Some("hive/x".to_owned()),
        commit: Some("c0ffee".to_owned()),
        ..TaskResult::default()
    };
    let settled = bed.store.settle(&lease, &Outcome::Done(result.clone())).await.unwrap();
    assert_eq!((settled.status, settled.again, settled.has_dependents), (TaskStatus::Succeeded, None, false));
    let task = bed.task(id).await;
    assert_eq!((task.status, task.reason, task.detail), (TaskStatus::Succeeded, None, None));
    assert_eq!(task.result, Some(result));
    assert_eq!((task.attempt, task.event_seq), (1, settled.event_seq));
    assert!(
        bed.row_holds(id, &format!("{NOT_HELD} AND completed_at <= now() AND completed_at >= started_at"))
            .await
    );
    let event = bed.events(id).await.pop().unwrap();
    assert_eq!((event.kind.as_str(), event.data), ("task.succeeded", json!({ "summary": "all of it" })));
}

#[tokio::test]
async fn waiting_parks_the_task_and_gives_its_attempt_back() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    let settled = bed.store.settle(&lease, &outcome("wait")).await.unwrap();
    assert_eq!((settled.status, settled.again), (TaskStatus::Waiting, None));
    let task = bed.task(id).await;
    assert_eq!((task.reason, task.detail.as_deref()), (Some(StatusReason::RateLimited), Some("a sentence")));
    assert_eq!((task.attempt, task.epoch, task.completed_at), (0, 1, None));
    assert!(bed.row_holds(id, &format!("{NOT_HELD} AND {IN_A_MINUTE} AND announced_at IS NULL")).await);
    let event = bed.events(id).await.pop().unwrap();
    assert_eq!(event.kind, "task.waiting");
    assert_eq!(
        event.data,
        json!({ "reason": "rate_limited", "detail": "a sentence", "delay_seconds": 60.0 })
    );
}

#[tokio::test]
async fn a_retry_costs_an_attempt_and_the_last_one_is_dead() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    for attempt in 1..=2 {
        let lease = bed.claim(id).await;
        let settled = bed.store.settle(&lease, &outcome("retry")).await.unwrap();
        assert_eq!((settled.status, settled.again), (TaskStatus::Waiting, None));
        let task = bed.task(id).await;
        assert_eq!((task.attempt, task.reason), (attempt, Some(StatusReason::Retry)));
        assert!(bed.row_holds(id, &format!("{NOT_HELD} AND {IN_A_MINUTE}")).await);
        assert_eq!(task.error_class.as_deref(), Some("repository"));
        let event = bed.events(id).await.pop().unwrap();
        assert_eq!(event.kind, "task.waiting");
        assert_eq!(
            event.data,
            json!({ "reason": "retry", "detail": "a sentence", "attempt": attempt, "error_class": "repository",
                    "delay_seconds": 60.0 })
        );
        bed.let_time_pass(id).await;
        bed.reconcile().await;
    }
    let lease = bed.claim(id).await;
    let settled = bed.store.settle(&lease, &outcome("retry")).await.unwrap();
    assert_eq!((settled.status, settled.again), (TaskStatus::Dead, None));
    let task = bed.task(id).await;
    assert_eq!((task.status, task.reason), (TaskStatus::Dead, Some(StatusReason::AttemptsExhausted)));
    assert_eq!((task.attempt, task.detail.as_deref()), (3, Some("a sentence")));
    assert!(bed.row_holds(id, &format!("{NOT_HELD} AND completed_at IS NOT NULL")).await);
    let event = bed.events(id).await.pop().unwrap();
    assert_eq!(event.kind, "task.dead");
    assert_eq!(
        event.data,
        json!({ "reason": "attempts_exhausted", "detail": "a sentence", "attempt": 3, "error_class": "repository" })
    );
    assert_eq!(task.error_class.as_deref(), Some("repository"));
}

#[tokio::test]
async fn a_task_of_one_attempt_is_dead_at_its_first_retry() {
    let bed = Bed::make().await;
    let id = bed.enqueue_with(|new| new.max_attempts = 1).await;
    bed.settle(id, &outcome("retry")).await;
    bed.assert_stands(id, TaskStatus::Dead, Some(StatusReason::AttemptsExhausted)).await;
}

#[tokio::test]
async fn a_wait_or_a_drain_does_not_forgive_the_tries_before_it() {
    let bed = Bed::make().await;
    for harmless in ["wait", "yield"] {
        let id = bed.enqueue().await;
        for attempt in 1..=2 {
            bed.fail_a_try(id).await;
            assert_eq!(bed.task(id).await.attempt, attempt);
            bed.settle(id, &outcome(harmless)).await;
            assert_eq!(bed.task(id).await.attempt, attempt, "{harmless} costs nothing and mends nothing");
            bed.let_time_pass(id).await;
            bed.reconcile().await;
        }
        bed.fail_a_try(id).await;
        bed.assert_stands(id, TaskStatus::Dead, Some(StatusReason::AttemptsExhausted)).await;
    }
}

#[tokio::test]
async fn yielding_hands_the_task_back_at_once() {
    let bed = Bed::make().await;
    let id = bed.enqueue_with(|new| new.priority = hive_domain::Priority::try_from(2).unwrap()).await;
    let lease = bed.claim(id).await;
    let settled = bed.store.settle(&lease, &Outcome::Yield).await.unwrap();
    let priority = hive_domain::Priority::try_from(2).unwrap();
    let ticket = Announcement { task: id, epoch: 1, priority, isolated: false, first: false };
    assert_eq!((settled.status, settled.again), (TaskStatus::Ready, Some(ticket)));
    let task = bed.task(id).await;
    assert_eq!((task.reason, task.attempt, task.completed_at), (Some(StatusReason::Drained), 0, None));
    assert!(
        bed.row_holds(id, &format!("{NOT_HELD} AND {NOW} AND announced_at = run_at")).await,
        "the caller writes the ticket"
    );
    assert_eq!(bed.event_kinds(id).await.last().unwrap(), "task.ready");
    assert!(
        bed.store.claim(ticket.task, ticket.epoch, &Claimant::ordinary("another")).await.unwrap().is_some()
    );
}

#[tokio::test]
async fn failing_keeps_the_work_that_was_done() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    let settled = bed.store.settle(&lease, &outcome("fail")).await.unwrap();
    assert_eq!((settled.status, settled.again), (TaskStatus::Failed, None));
    let task = bed.task(id).await;
    assert_eq!(
        (task.reason, task.detail.as_deref()),
        (Some(StatusReason::VerificationFailed), Some("a sentence"))
    );
    assert_eq!(task.result.unwrap().summary, "half of it");
    assert_eq!((task.attempt, task.error_class.as_deref()), (1, Some("verification_failed")));
    assert!(bed.row_holds(id, &format!("{NOT_HELD} AND completed_at IS NOT NULL")).await);
    let event = bed.events(id).await.pop().unwrap();
    assert_eq!(event.kind, "task.failed");
    assert_eq!(
        event.data,
        json!({ "reason": "verification_failed", "detail": "a sentence", "summary": "half of it" })
    );
}

#[tokio::test]
async fn only_an_end_that_others_wait_for_says_so() {
    let bed = Bed::make().await;
    for (name, ends) in [("done", true), ("fail", true), ("wait", false), ("yield", false), ("retry", false)]
    {
        let id = bed.enqueue().await;
        bed.enqueue_after(&[id], DependencyPolicy::Fail).await;
        let lease = bed.claim(id).await;
        let settled = bed.store.settle(&lease, &outcome(name)).await.unwrap();
        assert_eq!(settled.has_dependents, ends, "{name}");
    }
}

#[tokio::test]
async fn a_wait_without_end_is_still_a_time() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let forever =
        Outcome::Wait { after: Duration::MAX, reason: StatusReason::RateLimited, detail: String::new() };
    bed.settle(id, &forever).await;
    bed.assert_stands(id, TaskStatus::Waiting, Some(StatusReason::RateLimited)).await;
    assert!(bed.row_holds(id, "run_at > now() + interval '300 days'").await);
    bed.task(id).await;
}

#[tokio::test]
async fn a_null_character_in_what_the_model_says_does_not_keep_the_task_open() {
    let bed = Bed::make().await;
    let done = Outcome::Done(TaskResult { summary: "a\0b".to_owned(), ..TaskResult::default() });
    let fail = Outcome::Fail {
        reason: StatusReason::Refused,
        detail: "c\0d".to_owned(),
        partial: Box::new(TaskResult { branch: Some("\0".to_owned()), ..TaskResult::default() }),
    };
    let id = bed.enqueue().await;
    bed.settle(id, &done).await;
    assert_eq!(bed.task(id).await.result.unwrap().summary, "a\u{fffd}b");
    let id = bed.enqueue().await;
    bed.settle(id, &fail).await;
    assert_eq!(bed.task(id).await.detail.unwrap(), "c\u{fffd}d");
}
