//! Tasks that have not ended by their deadline.

use std::collections::BTreeSet;

use hive_domain::{StatusReason, TaskId, TaskStatus, task::DependencyPolicy};
use hive_store::{Error, NewStep};

use crate::bed::{Bed, note, outcome, outcomes};

async fn set_deadlines(bed: &Bed, when: &str) {
    bed.execute(&format!("UPDATE tasks SET deadline = now() + interval '{when}'")).await;
}

/// A task in each open state, with a name.
async fn open(bed: &Bed) -> Vec<(&'static str, TaskId)> {
    let soon = sqlx::query_scalar("SELECT now() + interval '30 min'").fetch_one(&bed.pool).await.unwrap();
    let proposed = bed.enqueue().await;
    bed.execute(&format!("UPDATE tasks SET status = 'proposed' WHERE id = '{proposed}'")).await;
    let scheduled = bed.enqueue_with(|new| new.run_at = Some(soon)).await;
    let dependent = bed.enqueue_after(&[scheduled], DependencyPolicy::Continue).await;
    let holder = bed.enqueue_with(|new| new.concurrency_key = Some("key".to_owned())).await;
    let at_gate = bed.enqueue_with(|new| new.concurrency_key = Some("key".to_owned())).await;
    let ready = bed.enqueue().await;
    let waiting = bed.enqueue().await;
    bed.settle(waiting, &outcome("wait")).await;
    let suspect = bed.enqueue().await;
    for _ in 0..2 {
        bed.claim(suspect).await;
        bed.orphan(suspect).await;
    }
    vec![
        ("proposed", proposed),
        ("scheduled", scheduled),
        ("dependent", dependent),
        ("holder", holder),
        ("at its key", at_gate),
        ("ready", ready),
        ("waiting", waiting),
        ("suspect", suspect),
    ]
}

#[tokio::test]
async fn a_deadline_ends_what_is_open_in_whatever_state() {
    let bed = Bed::make().await;
    let open = open(&bed).await;
    let mut ended = Vec::new();
    for how in ["done", "fail", "cancel"] {
        let id = bed.enqueue().await;
        if how == "cancel" {
            bed.store.cancel(id, "ada").await.unwrap();
        } else {
            bed.settle(id, &outcome(how)).await;
        }
        ended.push((id, bed.rows(id).await));
    }
    set_deadlines(&bed, "1 hour").await;
    assert!(bed.reconcile().await.overdue.is_empty(), "the deadlines lie ahead");
    let mut epochs = Vec::new();
    for (_, id) in &open {
        epochs.push(bed.task(*id).await.epoch);
    }
    set_deadlines(&bed, "-1 s").await;
    let pass = bed.reconcile().await;
    let expected: BTreeSet<TaskId> = open.iter().map(|(_, id)| *id).collect();
    assert_eq!(pass.overdue.into_iter().collect::<BTreeSet<_>>(), expected);
    assert!(pass.announce.iter().all(|ticket| !expected.contains(&ticket.task)));
    for ((what, id), epoch) in open.iter().zip(epochs) {
        bed.assert_stands(*id, TaskStatus::Failed, Some(StatusReason::Deadline)).await;
        let task = bed.task(*id).await;
        assert_eq!(task.epoch, epoch + 1, "{what}: its tickets are stale");
        assert!(task.detail.unwrap().starts_with("it had not ended by 20"), "{what}");
        assert!(bed.row_holds(*id, "completed_at IS NOT NULL").await, "{what}");
        let event = bed.events(*id).await.pop().unwrap();
        assert_eq!(
            (event.kind.as_str(), &event.data["reason"]),
            ("task.failed", &"deadline".into()),
            "{what}"
        );
    }
    for (id, before) in ended {
        let (mut after, mut before) = (bed.rows(id).await, before);
        for rows in [&mut after, &mut before] {
            rows["task"]["deadline"].take();
        }
        assert_eq!(after, before, "an end is an end");
    }
    assert!(bed.reconcile().await.overdue.is_empty());
}

#[tokio::test]
async fn a_run_past_its_deadline_is_fenced_and_its_dependents_hear_of_it() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let child = bed.enqueue_after(&[id], DependencyPolicy::Fail).await;
    let mut lease = bed.claim(id).await;
    bed.execute(&format!(
        "UPDATE tasks SET deadline = now() - interval '1 s', claimed_at = now() - interval '10 s' WHERE id = '{id}'"
    ))
    .await;
    let pass = bed.reconcile().await;
    assert_eq!(pass.overdue, [id]);
    bed.assert_stands(id, TaskStatus::Failed, Some(StatusReason::Deadline)).await;
    bed.assert_stands(child, TaskStatus::Failed, Some(StatusReason::DependencyFailed)).await;
    assert!(
        bed.row_holds(id, "worker IS NULL AND lease_until IS NULL AND run_seconds BETWEEN 10 AND 100").await
    );
    let before = bed.rows(id).await;
    let fenced = |error: Error| assert!(matches!(error, Error::Fenced { .. }), "{error:?}");
    fenced(bed.store.append(&mut lease, &NewStep::plain(&note("too late"))).await.unwrap_err());
    fenced(bed.store.begin_call(&lease, "claude", b"hash").await.unwrap_err());
    for (_, outcome) in outcomes() {
        fenced(bed.store.settle(&lease, &outcome).await.unwrap_err());
    }
    assert!(bed.store.renew(&[(id, lease.epoch())]).await.unwrap().is_empty());
    assert_eq!(bed.rows(id).await, before);
}

#[tokio::test]
async fn a_deadline_is_kept_as_it_was_asked_for() {
    let bed = Bed::make().await;
    let hour: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("SELECT date_trunc('milliseconds', now()) + interval '1 hour'")
            .fetch_one(&bed.pool)
            .await
            .unwrap();
    let id = bed.enqueue_with(|new| new.deadline = Some(hour)).await;
    assert_eq!(bed.task(id).await.deadline, Some(hour));
    assert_eq!(bed.claim(id).await.leased.deadline, Some(hour));
}
