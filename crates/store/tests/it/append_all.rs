//! Steps that are written together, and the intent of the call that follows them.

use hive_domain::{Lease, MessagePolicy, PauseMode, journal::Entry};
use hive_store::{Edge, Error, NewMessage, NewStep, NextCall, PauseScope};
use uuid::Uuid;

use crate::bed::{Bed, note};

const OPEN: Edge = Edge { halted: false, unread: false, begun: true };

fn next(id: Uuid) -> Option<NextCall<'static>> {
    Some(NextCall {
        id,
        model: "claude",
        request_sha256: b"hash",
        route: None,
        worst_case: hive_domain::NanoUsd(0),
    })
}

async fn write<T: Sync>(bed: &Bed, lease: &mut Lease<T>, call: Uuid) -> hive_store::Result<Edge> {
    let (one, two) = (note("one"), note("two"));
    bed.store.append_all(lease, &[NewStep::plain(&one), NewStep::plain(&two)], next(call)).await
}

async fn intents(bed: &Bed) -> Vec<(Uuid, i32, i64, String)> {
    let sql = "SELECT id, seq, epoch, state::text FROM llm_calls ORDER BY id";
    sqlx::query_as(sql).fetch_all(&bed.pool).await.unwrap()
}

#[tokio::test]
async fn steps_and_the_next_call_are_written_together_once() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let call = Uuid::now_v7();
    assert_eq!(write(&bed, &mut lease, call).await.unwrap(), OPEN);
    assert_eq!(lease.next_seq(), 3);
    assert_eq!(intents(&bed).await, [(call, 3, 1, "intent".to_owned())]);
    let steps = "SELECT (data ->> 'seq')::integer FROM events WHERE kind = 'task.step' ORDER BY seq";
    let told: Vec<i32> = sqlx::query_scalar(steps).fetch_all(&bed.pool).await.unwrap();
    assert_eq!(told, [1, 2], "an event for each, in order");
    let gaps = "SELECT count(*) FROM tasks t WHERE t.event_seq <> (SELECT count(*) FROM events e WHERE e.task_id = t.id)";
    assert_eq!(bed.number(gaps).await, 0);

    // The answer was lost: offered again, nothing is written, and the edge is the same.
    let before = bed.rows(id).await;
    let mut unsure = Lease::new((), id, lease.epoch(), 1);
    assert_eq!(write(&bed, &mut unsure, call).await.unwrap(), OPEN);
    assert_eq!((unsure.next_seq(), bed.rows(id).await), (3, before));
}

#[tokio::test]
async fn two_tries_in_one_group_are_one() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    let call = Uuid::now_v7();
    let again = || Lease::new((), id, lease.epoch(), 1);
    let (mut a, mut b, mut c) = (again(), again(), again());
    let edges = tokio::join!(write(&bed, &mut a, call), write(&bed, &mut b, call), write(&bed, &mut c, call));
    assert_eq!((edges.0.unwrap(), edges.1.unwrap(), edges.2.unwrap()), (OPEN, OPEN, OPEN));
    assert_eq!((intents(&bed).await.len(), bed.store.steps(id, 0, 10).await.unwrap().len()), (1, 2));
}

#[tokio::test]
async fn a_call_is_not_begun_past_a_message_or_a_pause() {
    let bed = Bed::make().await;
    let (told, paused) = (bed.enqueue().await, bed.enqueue().await);
    let (mut told_lease, mut paused_lease) = (bed.claim(told).await, bed.claim(paused).await);
    let message = NewMessage { text: "wait", policy: MessagePolicy::Enqueue, author: "ada" };
    bed.store.send_message(told, &message).await.unwrap();
    let edge = write(&bed, &mut told_lease, Uuid::now_v7()).await.unwrap();
    assert_eq!(edge, Edge { halted: false, unread: true, begun: false });

    let fleet = PauseScope { kind: "fleet".to_owned(), name: String::new() };
    bed.store.pause(&fleet, PauseMode::Pause, "lunch", None, "ada").await.unwrap();
    let call = Uuid::now_v7();
    let edge = write(&bed, &mut paused_lease, call).await.unwrap();
    assert_eq!(edge, Edge { halted: true, unread: false, begun: false });
    let mut unsure = Lease::new((), paused, paused_lease.epoch(), 1);
    assert_eq!(write(&bed, &mut unsure, call).await.unwrap(), edge, "also when the first answer was lost");
    assert!(intents(&bed).await.is_empty());
}

#[tokio::test]
async fn a_lost_lease_writes_neither_steps_nor_an_intent() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    let mut old = Lease::new((), id, lease.epoch() - 1, 1);
    let refused = write(&bed, &mut old, Uuid::now_v7()).await;
    assert!(matches!(refused, Err(Error::Fenced { .. })), "{refused:?}");
    assert!(intents(&bed).await.is_empty() && bed.store.steps(id, 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_and_two_replies_are_refused() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let empty: [NewStep<'_>; 0] = [];
    let refused = bed.store.append_all(&mut lease, &empty, None).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    let reply: Entry = crate::append::reply(hive_domain::Usage::default());
    let two = [NewStep::plain(&reply), NewStep::plain(&reply)];
    let refused = bed.store.append_all(&mut lease, &two, None).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    assert!(bed.store.steps(id, 0, 10).await.unwrap().is_empty());
}
