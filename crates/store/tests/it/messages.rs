//! What people write: accepted once, read once, and never missed by a run that ends as done.

use hive_domain::{
    Lease, MessagePolicy, Outcome, StatusReason, TaskId, TaskStatus,
    journal::{Entry, PersonMessage, ROLLBACK_FORMAT, Rollback, TaskResult},
};
use hive_store::{Error, NewMessage, NewStep, Reading, Undo};
use serde_json::json;

use crate::bed::{Bed, outcome};

fn said(text: &str, policy: MessagePolicy) -> NewMessage<'_> {
    NewMessage { text, policy, author: "ada" }
}

async fn tell(bed: &Bed, id: TaskId, text: &str) -> i32 {
    bed.store.send_message(id, &said(text, MessagePolicy::Enqueue)).await.unwrap().0.number
}

async fn read<T: Send + Sync>(bed: &Bed, lease: &mut Lease<T>) -> Vec<Entry> {
    match bed.store.read_messages(lease, &Undo::Unprepared).await.unwrap() {
        Reading::Read(entries) => entries,
        Reading::WantsUndo => panic!("nobody wished for that"),
    }
}

fn texts(entries: &[Entry]) -> Vec<(i32, &str)> {
    let message = |entry| match entry {
        &Entry::Message(PersonMessage { number, ref text, .. }) => (number, text.as_str()),
        other => panic!("{other:?}"),
    };
    entries.iter().map(message).collect()
}

fn code(refused: hive_store::Result<impl std::fmt::Debug>) -> &'static str {
    match refused {
        Err(Error::Conflict { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_enter_the_journal_once_and_in_order() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    assert_eq!(tell(&bed, id, "first").await, 1);
    let mut lease = bed.claim(id).await;
    bed.append_note(&mut lease, "a step").await;
    assert_eq!(tell(&bed, id, "second").await, 2);
    assert!(bed.store.has_unread(&lease).await.unwrap());
    assert_eq!(bed.store.begin_call(&lease, "claude", b"hash").await.unwrap(), None, "first read, then ask");

    let before = lease.next_seq();
    let entries = read(&bed, &mut lease).await;
    assert_eq!(texts(&entries), [(1, "first"), (2, "second")]);
    assert_eq!(lease.next_seq(), before + 2);
    assert!(!bed.store.has_unread(&lease).await.unwrap());
    assert!(bed.store.begin_call(&lease, "claude", b"hash").await.unwrap().is_some());
    assert!(read(&bed, &mut lease).await.is_empty());
    bed.append_note(&mut lease, "another").await;

    let steps = bed.store.steps(id, 0, 10).await.unwrap();
    let kinds: Vec<&str> = steps.iter().map(|step| step.entry.kind()).collect();
    assert_eq!(kinds, ["note", "message", "message", "note"]);
    let messages = bed.store.messages(id, 0, 10).await.unwrap();
    let read: Vec<Option<i32>> = messages.iter().map(|message| message.read.map(|(step, _)| step)).collect();
    assert_eq!(read, [Some(2), Some(3)]);
    let events = bed.events(id).await;
    let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>(), "without gaps");
    assert_eq!(events[1].kind, "task.message");
    assert_eq!(events[1].data, json!({ "author": "ada", "policy": "enqueue", "message": 1, "woke": false }));
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    tell(&bed, id, "once").await;
    let mut lease = bed.claim(id).await;
    let mut deaf = Lease::new((), id, lease.epoch(), lease.next_seq());
    assert_eq!(texts(&read(&bed, &mut lease).await), [(1, "once")]);
    assert_eq!(texts(&read(&bed, &mut deaf).await), [(1, "once")]);
    assert_eq!(deaf.next_seq(), lease.next_seq());
    assert_eq!(bed.store.steps(id, 0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_survives_the_worker_that_did_not_read_it() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut dead = bed.claim(id).await;
    tell(&bed, id, "for whoever comes").await;
    bed.orphan(id).await;
    let mut lease = bed.claim(id).await;
    let fenced = bed.store.read_messages(&mut dead, &Undo::Nothing).await;
    assert!(matches!(fenced, Err(Error::Fenced { .. })), "{fenced:?}");
    assert_eq!(texts(&read(&bed, &mut lease).await), [(1, "for whoever comes")]);
}

#[tokio::test]
async fn a_run_that_ends_as_done_does_not_overtake_a_message() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    tell(&bed, id, "not yet").await;
    let settled = bed.store.settle(&lease, &Outcome::Done(TaskResult::default())).await.unwrap();
    assert_eq!(settled.status, TaskStatus::Ready);
    assert!(settled.again.is_some(), "the next run reads it at once");
    let mut lease = bed.claim(id).await;
    read(&bed, &mut lease).await;
    let settled = bed.store.settle(&lease, &Outcome::Done(TaskResult::default())).await.unwrap();
    assert_eq!(settled.status, TaskStatus::Succeeded);

    // Only success waits: a limit that is reached ends the task, and the message was missed.
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    tell(&bed, id, "too late").await;
    bed.settle_with(&lease, &outcome("fail")).await;
    bed.assert_stands(id, TaskStatus::Failed, Some(StatusReason::VerificationFailed)).await;
    let [message] = bed.store.messages(id, 0, 10).await.unwrap().try_into().unwrap();
    assert!(message.missed && message.read.is_none());
}

#[tokio::test]
async fn policies_decide_what_meets_a_run_at_work() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let reject = said("only if it is quiet", MessagePolicy::Reject);
    bed.store.send_message(id, &reject).await.unwrap();
    let mut lease = bed.claim(id).await;
    let before = bed.rows(id).await;
    assert_eq!(code(bed.store.send_message(id, &reject).await), "task_running");
    assert_eq!(bed.rows(id).await, before, "what is refused leaves nothing behind");
    tell(&bed, id, "when it suits").await;
    assert!(!bed.store.is_interrupted(id).await.unwrap());
    bed.store.send_message(id, &said("now", MessagePolicy::Interrupt)).await.unwrap();
    assert!(bed.store.is_interrupted(id).await.unwrap());
    assert_eq!(read(&bed, &mut lease).await.len(), 3);
    assert!(!bed.store.is_interrupted(id).await.unwrap(), "what was read interrupts nothing more");
    bed.settle_with(&lease, &outcome("done")).await;
    assert_eq!(code(bed.store.send_message(id, &said("late", MessagePolicy::Enqueue)).await), "task_ended");
}

#[tokio::test]
async fn a_message_wakes_a_wait_of_the_agent_and_nothing_else() {
    let bed = Bed::make().await;
    let after = std::time::Duration::from_secs(600);
    for (reason, wakes) in
        [(StatusReason::Timer, true), (StatusReason::Answer, true), (StatusReason::RateLimited, false)]
    {
        let id = bed.enqueue().await;
        bed.settle(id, &Outcome::Wait { after, reason, detail: "a sentence".to_owned() }).await;
        let (_, woke) = bed.store.send_message(id, &said("wake up", MessagePolicy::Enqueue)).await.unwrap();
        assert_eq!(woke, wakes);
        let task = bed.task(id).await;
        let expected = if wakes { (TaskStatus::Ready, None) } else { (TaskStatus::Waiting, Some(reason)) };
        assert_eq!((task.status, task.reason), expected);
        if wakes {
            assert!(bed.row_holds(id, "run_at <= now() AND announced_at IS NOT NULL AND attempt = 0").await);
            bed.claim(id).await;
        }
    }
}

#[tokio::test]
async fn twenty_who_write_at_once_are_all_heard_in_one_order() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..20 {
        let store = bed.store.clone();
        senders.spawn(async move {
            let text = format!("word {n}");
            let new = NewMessage { text: &text, policy: MessagePolicy::Enqueue, author: "ada" };
            loop {
                match store.send_message(id, &new).await {
                    Ok((message, _)) => return message.number,
                    // They queue for one row, on a machine that has other things to do.
                    Err(error) => assert!(error.is_unavailable(), "{error:?}"),
                }
            }
        });
    }
    let mut heard = Vec::new();
    while !senders.is_empty() {
        heard.extend(read(&bed, &mut lease).await);
        while senders.try_join_next().is_some() {}
    }
    heard.extend(read(&bed, &mut lease).await);
    let numbers: Vec<i32> = texts(&heard).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    assert_eq!(bed.store.steps(id, 0, 100).await.unwrap().len(), 20);
}

#[tokio::test]
async fn what_nobody_reads_has_a_bound() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    for n in 1..=100 {
        assert_eq!(tell(&bed, id, "a word").await, n);
    }
    let more = bed.store.send_message(id, &said("one more", MessagePolicy::Enqueue)).await;
    assert_eq!(code(more), "too_many_messages");
    let duty = bed.enqueue_with(|new| {
        new.performer = hive_domain::task::Performer::Noop;
        new.acceptance.clear();
    });
    let duty = duty.await;
    assert_eq!(
        code(bed.store.send_message(duty, &said("hello", MessagePolicy::Enqueue)).await),
        "no_agent_reads"
    );
}

#[tokio::test]
async fn a_wish_to_undo_is_read_when_its_files_are_prepared() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    for commit in ["c1", "c2"] {
        let step = crate::bed::note("a turn");
        bed.store
            .append(&mut lease, &NewStep { commit: Some(commit), ..NewStep::plain(&step) })
            .await
            .unwrap();
    }
    assert_eq!(bed.store.commit_before(id, 1).await.unwrap(), None);
    assert_eq!(bed.store.commit_before(id, 2).await.unwrap().as_deref(), Some("c1"));
    tell(&bed, id, "first").await;
    bed.store.send_message(id, &said("undo that", MessagePolicy::Rollback)).await.unwrap();
    assert!(bed.store.is_interrupted(id).await.unwrap());
    let before = bed.rows(id).await;
    let reading = bed.store.read_messages(&mut lease, &Undo::Unprepared).await.unwrap();
    assert!(matches!(reading, Reading::WantsUndo), "{reading:?}");
    assert_eq!(bed.rows(id).await, before, "nothing was read");
    assert!(bed.store.is_interrupted(id).await.unwrap());

    let mut deaf = Lease::new((), id, lease.epoch(), lease.next_seq());
    let entry = Entry::Rollback(Rollback { from: 2, standing: vec![] });
    let undo = Undo::Turn { entry: Box::new(entry), commit: Some("c3".to_owned()) };
    let Reading::Read(entries) = bed.store.read_messages(&mut lease, &undo).await.unwrap() else {
        panic!("it was prepared")
    };
    assert!(matches!(&entries[0], Entry::Rollback(rollback) if rollback.from == 2), "{entries:?}");
    assert_eq!(texts(&entries[1..]), [(1, "first"), (2, "undo that")]);
    assert_eq!(read(&bed, &mut deaf).await.len(), 3, "an answer that was lost is given again");
    let steps = bed.store.steps(id, 2, 10).await.unwrap();
    let stored: Vec<_> = steps.iter().map(|step| (step.entry.kind(), step.commit.as_deref())).collect();
    assert_eq!(stored, [("rollback", Some("c3")), ("message", None), ("message", None)]);
    let messages = bed.store.messages(id, 0, 10).await.unwrap();
    let read_at: Vec<_> = messages.iter().map(|message| message.read.map(|(step, _)| step)).collect();
    assert_eq!(read_at, [Some(4), Some(5)]);
    assert_eq!(bed.store.commit_before(id, 6).await.unwrap().as_deref(), Some("c3"));
    assert_eq!(bed.task(id).await.journal_format, Some(ROLLBACK_FORMAT), "older builds leave it alone");
    bed.append_note(&mut lease, "on it goes").await;
    let seqs: Vec<i64> = bed.events(id).await.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>(), "without gaps");
}

#[tokio::test]
async fn a_wish_to_undo_nothing_is_a_message() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    bed.store.send_message(id, &said("undo that", MessagePolicy::Rollback)).await.unwrap();
    let mut lease = bed.claim(id).await;
    let Reading::Read(entries) = bed.store.read_messages(&mut lease, &Undo::Nothing).await.unwrap() else {
        panic!("there is nothing to prepare")
    };
    assert_eq!(texts(&entries), [(1, "undo that")]);
    assert_eq!(bed.task(id).await.journal_format, Some(hive_domain::journal::FORMAT));
}
