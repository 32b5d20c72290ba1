//! A lost lease writes nothing.

use hive_domain::{TaskStatus, Usage};
use hive_store::{CallOutcome, Error, NewStep};

use crate::bed::{Bed, note, outcome, outcomes};

#[tokio::test]
async fn a_worker_that_lost_its_lease_changes_nothing() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut old = bed.claim(id).await;
    bed.append_note(&mut old, "before the freeze").await;
    bed.orphan(id).await;

    // While nobody holds the task, while another run does that has written nothing yet, and after it wrote.
    let mut new = None;
    for round in ["ready", "claimed", "written"] {
        match (round, &mut new) {
            ("claimed", new) => *new = Some(bed.claim(id).await),
            ("written", Some(new)) => bed.append_note(new, "after the takeover").await,
            _ => {}
        }
        let before = bed.rows(id).await;
        let seq = old.next_seq();
        let fenced = |what: &str, error: Error| {
            assert!(matches!(error, Error::Fenced { task, epoch: 1 } if task == id), "{what}: {error:?}");
        };
        fenced("append", bed.store.append(&mut old, &NewStep::plain(&note("too late"))).await.unwrap_err());
        assert_eq!(old.next_seq(), seq, "a refused step does not count");
        fenced("begin_call", bed.store.begin_call(&old, "model", b"hash").await.unwrap_err());
        for (name, outcome) in outcomes() {
            fenced(name, bed.store.settle(&old, &outcome).await.unwrap_err());
        }
        assert!(bed.store.renew(&[(id, old.epoch())]).await.unwrap().is_empty());
        assert_eq!(bed.rows(id).await, before, "{round}");
    }
}

#[tokio::test]
async fn a_settled_lease_is_over() {
    for (name, settled) in outcomes() {
        let bed = Bed::make().await;
        let id = bed.enqueue().await;
        let mut lease = bed.claim(id).await;
        bed.store.settle(&lease, &settled).await.unwrap();
        let before = bed.rows(id).await;
        for (again, outcome) in outcomes() {
            let error = bed.store.settle(&lease, &outcome).await.unwrap_err();
            assert!(matches!(error, Error::Fenced { .. }), "{name}, then {again}: {error:?}");
        }
        let error = bed.store.append(&mut lease, &NewStep::plain(&note("too late"))).await.unwrap_err();
        assert!(matches!(error, Error::Fenced { .. }), "{name}: {error:?}");
        assert_eq!(bed.rows(id).await, before, "{name}");
    }
}

#[tokio::test]
async fn money_that_was_spent_counts_even_when_the_lease_is_gone() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let old = bed.claim(id).await;
    let call = bed.store.begin_call(&old, "model", b"hash").await.unwrap().unwrap();
    bed.orphan(id).await;
    bed.claim(id).await;
    let usage =
        Usage { input_tokens: 7, output_tokens: 5, cost: hive_domain::NanoUsd(11), ..Usage::default() };
    let failed =
        CallOutcome { error: "cut".to_owned(), request_id: Some("req_1".to_owned()), usage: Some(usage) };
    bed.store.fail_call(&old, call, &failed).await.unwrap();
    let task = bed.task(id).await;
    assert_eq!(task.usage, usage);
    assert_eq!((task.status, task.epoch), (TaskStatus::Running, 2));
    bed.store.fail_call(&old, call, &failed).await.unwrap();
    assert_eq!(bed.task(id).await.usage, usage, "an answer that was lost and told again is charged once");
}

#[tokio::test]
async fn two_workers_with_the_same_lease_write_each_step_once() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = bed.store.clone();
        let mut copy = hive_domain::Lease::new((), id, lease.epoch(), 1);
        tries.spawn(async move {
            store.append(&mut copy, &NewStep::plain(&note("the same step"))).await.unwrap();
            copy.next_seq()
        });
    }
    assert!(tries.join_all().await.into_iter().all(|next| next == 2));
    assert_eq!(bed.store.steps(id, 0, 100).await.unwrap().len(), 1);
    assert_eq!(bed.event_kinds(id).await, ["task.created", "task.started", "task.step"]);
    bed.settle_with(&lease, &outcome("done")).await;
}
