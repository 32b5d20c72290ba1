//! What does not arrive, and what is kept for how long.

use hive_domain::DeliveryState;
use hive_store::{DeliveryFilter, Error, InboxChange, NewAgentMessage, Receivers};

use super::{code, later, letter, other, post, read, states};
use crate::bed::{Bed, outcome};

#[tokio::test]
async fn what_a_task_ended_without_reading_comes_back_and_is_dead_in_the_end() {
    let bed = Bed::make().await;
    bed.store
        .change_inbox(bed.agent, &InboxChange { max_tries: Some(2), ..InboxChange::default() })
        .await
        .unwrap();
    let sent = post(&bed, "read me").await;
    let first = sent.receivers[0].task.unwrap();
    bed.settle(first, &outcome("fail")).await;
    let swept = bed.store.sweep_messages().await.unwrap();
    assert_eq!((swept.again, swept.bound.tasks.len()), (1, 0), "after a pause");
    later(&bed).await;
    let second = bed.store.sweep_messages().await.unwrap().bound.tasks[0].0;
    assert_ne!(second, first);
    bed.settle(second, &outcome("fail")).await;
    let swept = bed.store.sweep_messages().await.unwrap();
    assert_eq!(swept.dead, [(bed.agent, sent.message.id)]);
    assert_eq!(states(&bed, bed.agent).await, [(1, DeliveryState::Dead, 2)]);
    let refused = bed.store.acknowledge(bed.agent, &[sent.message.id], "ada").await;
    assert!(matches!(refused, Err(Error::Invalid { field: "/message_ids", .. })), "{refused:?}");

    let again = bed.store.redrive_messages(None, &[sent.message.id]).await.unwrap();
    let third = again.bound.tasks[0].0;
    let mut lease = bed.claim(third).await;
    assert_eq!(read(&bed, &mut lease).await, ["read me"]);
    assert_eq!(code(bed.store.redrive_messages(None, &[sent.message.id]).await), "not_dead");
}

#[tokio::test]
async fn failures_in_a_row_open_the_breaker_and_an_arrival_closes_it() {
    let bed = Bed::make().await;
    bed.store
        .change_inbox(
            bed.agent,
            &InboxChange { pulled: Some(true), max_tries: Some(9), ..InboxChange::default() },
        )
        .await
        .unwrap();
    for _ in 0..6 {
        post(&bed, "unread").await;
    }
    // A receiver that dies with six messages failed once, not six times.
    for failed in 1..=5 {
        assert_eq!(bed.store.take_messages(bed.agent, 10, None).await.unwrap().len(), 6);
        later(&bed).await;
        let opened = bed.store.sweep_messages().await.unwrap().opened;
        assert_eq!(opened, if failed == 5 { vec![bed.agent] } else { vec![] }, "after {failed}");
        assert_eq!(bed.store.inbox(bed.agent).await.unwrap().failures, failed);
        later(&bed).await;
    }
    let refused = bed.store.send_agent_message(&letter(Receivers::Agent(bed.agent), "x")).await;
    assert!(
        matches!(refused, Err(Error::ReceiverFailing { agent, seconds: 1..=30 }) if agent == bed.agent),
        "{refused:?}"
    );
    let other = other(&bed, "qa").await;
    let sent = bed.store.send_agent_message(&letter(Receivers::All, "x")).await.unwrap();
    assert_eq!((sent.receivers[0].agent, sent.refused[0].code), (other, "receiver_failing"));
    let first =
        bed.store.inbox_after(bed.agent, 0, &DeliveryFilter::default(), 1).await.unwrap()[0].message.id;
    bed.store.acknowledge(bed.agent, &[first], "ada").await.unwrap();
    post(&bed, "welcome back").await;
    assert_eq!(bed.store.inbox(bed.agent).await.unwrap().failures, 0);
}

#[tokio::test]
async fn what_a_receiver_outside_did_not_acknowledge_is_not_overtaken_in_its_conversation() {
    let bed = Bed::make().await;
    let change = InboxChange { pulled: Some(true), ..InboxChange::default() };
    bed.store.change_inbox(bed.agent, &change).await.unwrap();
    let first = post(&bed, "first").await.message;
    let second = NewAgentMessage {
        conversation: Some(first.conversation),
        ..letter(Receivers::Agent(bed.agent), "second")
    };
    let take = async || {
        let taken = bed.store.take_messages(bed.agent, 10, None).await.unwrap();
        taken.into_iter().map(|taken| taken.message.content).collect::<Vec<_>>()
    };
    assert_eq!(take().await, ["first"]);
    bed.store.send_agent_message(&second).await.unwrap();
    post(&bed, "of another conversation").await;
    // Its receiver died with it: nobody swept yet, and then it waits for its next try.
    later(&bed).await;
    assert_eq!(take().await, ["of another conversation"]);
    assert_eq!(bed.store.sweep_messages().await.unwrap().again, 1);
    assert!(take().await.is_empty());
    later(&bed).await;
    assert_eq!(take().await, ["first", "second"]);
}

#[tokio::test]
async fn tasks_that_keep_failing_before_they_read_open_the_breaker_too() {
    let bed = Bed::make().await;
    let sent = post(&bed, "read me").await;
    let mut task = sent.receivers[0].task.unwrap();
    for failed in 1..=5 {
        assert_eq!(bed.store.inbox(bed.agent).await.unwrap().failures, failed - 1);
        bed.settle(task, &outcome("fail")).await;
        let opened = bed.store.sweep_messages().await.unwrap().opened;
        assert_eq!(opened, if failed == 5 { vec![bed.agent] } else { vec![] }, "after {failed}");
        later(&bed).await;
        if failed < 5 {
            task = bed.store.sweep_messages().await.unwrap().bound.tasks[0].0;
        }
    }
    let refused = bed.store.send_agent_message(&letter(Receivers::Agent(bed.agent), "x")).await;
    assert!(
        matches!(refused, Err(Error::ReceiverFailing { agent, .. }) if agent == bed.agent),
        "{refused:?}"
    );
    assert_eq!(bed.number("SELECT count(*) FROM conversations").await, 1, "what is refused leaves nothing");
    // A person who mends it need not wait.
    let again = bed.store.redrive_messages(Some(bed.agent), &[]).await.unwrap();
    let mut lease = bed.claim(again.bound.tasks[0].0).await;
    assert_eq!(read(&bed, &mut lease).await, ["read me"]);
    post(&bed, "and this").await;
}

#[tokio::test]
async fn a_word_of_a_receiver_withdraws_what_a_task_would_read() {
    let bed = Bed::make().await;
    let [one, two] = [post(&bed, "one").await, post(&bed, "two").await];
    let task = one.receivers[0].task.unwrap();
    let done = bed.store.acknowledge(bed.agent, &[one.message.id], "ada").await.unwrap();
    assert_eq!((done.now, done.before), (vec![one.message.id], vec![]));
    let mut lease = bed.claim(task).await;
    assert_eq!(read(&bed, &mut lease).await, ["two"]);
    let done = bed.store.acknowledge(bed.agent, &[one.message.id, two.message.id], "ada").await.unwrap();
    assert_eq!(done.before, [one.message.id, two.message.id]);
    assert!(!bed.store.has_unread(&lease).await.unwrap());
}

#[tokio::test]
async fn old_messages_go_when_nothing_names_them_any_more() {
    let bed = Bed::make().await;
    let old = post(&bed, "old").await.message;
    bed.store.acknowledge(bed.agent, &[old.id], "ada").await.unwrap();
    let kept = NewAgentMessage {
        conversation: Some(old.conversation),
        ..letter(Receivers::Agent(bed.agent), "kept")
    };
    let kept = bed.store.send_agent_message(&kept).await.unwrap().message;
    sqlx::query("UPDATE conversations SET created_at = created_at - interval '100 days'")
        .execute(&bed.pool)
        .await
        .unwrap();
    let would = bed.keep_house("conversations_retention", true).await;
    assert_eq!(would.report["message_deliveries"], 1);
    bed.keep_house("conversations_retention", false).await;
    let left: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM conversations").fetch_all(&bed.pool).await.unwrap();
    assert_eq!(
        bed.number("SELECT count(*) FROM message_vectors_due").await,
        1,
        "and nobody embeds what is gone"
    );
    assert_eq!(left, [kept.id.uuid()], "what is on its way stays, however old");
    for check in bed.store.verify_messages().await.unwrap() {
        assert_eq!(check.found, 0, "{}: {:?}", check.name, check.violations);
    }
}

/// The check that must find it, and how it is planted among two messages of one conversation.
const PLANTED: &[(&str, &str)] = &[
    ("message_order", "UPDATE threads SET last_number = 3"),
    ("message_order", "UPDATE conversations SET number = 7 WHERE number = 2"),
    ("message_lost", "DELETE FROM message_deliveries WHERE place = 2; UPDATE inboxes SET last_place = 1"),
    ("inbox_order", "UPDATE inboxes SET last_place = 3"),
    ("inbox_order", "UPDATE message_deliveries SET place = 5 WHERE place = 2; UPDATE inboxes SET last_place = 5"),
    (
        "delivery_stuck",
        "UPDATE tasks SET status = 'failed', status_reason = 'refused', completed_at = now() - interval '2 min'
         WHERE mail > 0",
    ),
    (
        "delivery_stuck",
        "UPDATE message_deliveries SET state = 'taken', task_id = NULL, visible_at = now() - interval '2 min' WHERE place = 1",
    ),
];

#[tokio::test]
async fn what_is_wrong_with_messages_is_found_by_name() {
    let bed = Bed::make().await;
    let names: Vec<&str> =
        bed.store.verify_messages().await.unwrap().into_iter().map(|check| check.name).collect();
    for name in &names {
        assert!(PLANTED.iter().any(|(planted, _)| planted == name), "{name} has a violation that it finds");
    }
    for (name, sql) in PLANTED {
        let bed = Bed::make().await;
        let one = post(&bed, "one").await.message;
        let two = NewAgentMessage {
            conversation: Some(one.conversation),
            ..letter(Receivers::Agent(bed.agent), "two")
        };
        bed.store.send_agent_message(&two).await.unwrap();
        let found = async || {
            let checked = bed.store.verify_messages().await.unwrap().into_iter();
            checked.filter(|check| check.found > 0).map(|check| check.name).collect::<Vec<_>>()
        };
        assert!(found().await.is_empty(), "nothing is wrong before {name} is planted");
        bed.execute(sql).await;
        assert_eq!(found().await, [*name], "{sql}");
    }
}
