//! Which task reads what, and that it reads it once.

use std::time::Duration;

use hive_domain::{
    DeliveryState, MemoryReader, MessageId, MessageKind, Outcome, ProjectId, StatusReason, TaskStatus,
    conversation::{MOST_BOUND, MOST_HOPS},
    journal::{MAIL_FORMAT, TaskResult},
};
use hive_store::{NewAgentMessage, Receivers, Sender};

use super::{code, later, letter, other, post, read, states};
use crate::bed::{Bed, outcome};

#[tokio::test]
async fn a_run_reads_once_and_does_not_end_before() {
    let bed = Bed::make().await;
    let id = bed.enqueue_with(|new| new.acceptance.clear()).await;
    let mut lease = bed.claim(id).await;
    bed.append_note(&mut lease, "at work").await;
    let sent = post(&bed, "one").await;
    assert_eq!((sent.receivers[0].state, sent.receivers[0].task), (DeliveryState::Bound, Some(id)));
    assert_eq!(sent.message.number, 1);
    let next = NewAgentMessage {
        conversation: Some(sent.message.conversation),
        ..letter(Receivers::Agent(bed.agent), "two")
    };
    assert_eq!(bed.store.send_agent_message(&next).await.unwrap().message.number, 2);
    assert!(bed.store.has_unread(&lease).await.unwrap());
    assert_eq!(bed.store.begin_call(&lease, "claude", b"hash").await.unwrap(), None, "first read, then ask");

    let mut deaf = hive_domain::Lease::new(bed.task(id).await, id, lease.epoch(), lease.next_seq());
    assert_eq!(read(&bed, &mut lease).await, ["one", "two"]);
    assert_eq!(read(&bed, &mut deaf).await, ["one", "two"], "an answer that was lost is given again");
    assert!(read(&bed, &mut lease).await.is_empty());
    assert_eq!(bed.store.steps(id, 0, 10).await.unwrap().len(), 3);
    assert_eq!(bed.task(id).await.journal_format, Some(MAIL_FORMAT));
    assert!(bed.store.begin_call(&lease, "claude", b"hash").await.unwrap().is_some());

    post(&bed, "three").await;
    let settled = bed.store.settle(&lease, &Outcome::Done(TaskResult::default())).await.unwrap();
    assert_eq!(settled.status, TaskStatus::Ready, "another run reads it");
    let mut lease = bed.claim(id).await;
    assert_eq!(read(&bed, &mut lease).await, ["three"]);
    bed.settle_with(&lease, &Outcome::Done(TaskResult::default())).await;
    let states = states(&bed, bed.agent).await;
    assert_eq!(states, [1, 2, 3].map(|place| (place, DeliveryState::Acknowledged, 1)));
}

#[tokio::test]
async fn a_sleeping_task_wakes_an_idle_agent_gets_one_and_one_that_waits_for_a_person_none() {
    let bed = Bed::make().await;
    let after = Duration::from_secs(3_600);
    let parked = |reason| Outcome::Wait { after, reason, detail: String::new() };
    let stuck = bed.enqueue().await;
    bed.settle(stuck, &parked(StatusReason::OutcomeUnknown)).await;
    let made = post(&bed, "for an idle one").await;
    let task = made.receivers[0].task.unwrap();
    assert_ne!(task, stuck);
    let view = bed.task(task).await;
    assert_eq!((view.status, view.title.as_str()), (TaskStatus::Ready, "Message from ada"));
    assert!(made.bound.woken[0].ticket.is_some_and(|ticket| ticket.task == task));
    assert_eq!(post(&bed, "and this").await.receivers[0].task, Some(task), "one task for both");

    for reason in [StatusReason::Timer, StatusReason::Answer] {
        let mut lease = bed.claim(task).await;
        read(&bed, &mut lease).await;
        bed.settle_with(&lease, &parked(reason)).await;
        let woke = post(&bed, "wake up").await;
        assert_eq!(woke.bound.woken.len(), 1, "{reason}");
        bed.assert_stands(task, TaskStatus::Ready, None).await;
        // What would put it to sleep over an unread message does not.
        let lease = bed.claim(task).await;
        let settled = bed.store.settle(&lease, &parked(reason)).await.unwrap();
        assert_eq!(settled.status, TaskStatus::Ready, "{reason}");
    }
}

#[tokio::test]
async fn an_answer_goes_to_the_task_that_asked_and_a_late_one_begins_nothing() {
    let bed = Bed::make().await;
    let to = other(&bed, "qa").await;
    let [asker, beside] = [bed.enqueue().await, bed.enqueue().await];
    let lease = bed.claim(asker).await;
    let beside = bed.claim(beside).await;
    let ask = |key: &str| NewAgentMessage {
        from: Sender::Run { task: asker, epoch: lease.epoch(), key: key.to_owned() },
        answer_within: Some(Duration::from_secs(60)),
        ..letter(Receivers::Agent(to), "Which port?")
    };
    let question = bed.store.send_agent_message(&ask("a")).await.unwrap().message;
    let late = bed.store.send_agent_message(&ask("b")).await.unwrap().message;
    let reply = |to: MessageId| NewAgentMessage {
        from: Sender::InNameOf(question.to.unwrap()),
        reply_to: Some(to),
        ..letter(Receivers::Author, "7700.")
    };
    let answer = bed.store.send_agent_message(&reply(question.id)).await.unwrap();
    assert_eq!((answer.message.kind, answer.message.number), (MessageKind::Answer, 2));
    assert_eq!(answer.receivers[0].task, Some(asker), "and not the other task of the agent");
    let more = bed.store.send_agent_message(&reply(question.id)).await.unwrap();
    assert_eq!(more.message.kind, MessageKind::Message, "a question is answered once");

    for lease in [&lease, &beside] {
        bed.settle_with(lease, &outcome("fail")).await;
    }
    let answer = bed.store.send_agent_message(&reply(late.id)).await.unwrap();
    assert_eq!((answer.receivers[0].state, answer.message.wakes), (DeliveryState::Pending, false));
    assert!(bed.store.sweep_messages().await.unwrap().bound.tasks.iter().all(|(task, _)| *task != asker));
    let id = bed.enqueue().await;
    let reader = MemoryReader { project: ProjectId::DEFAULT, session: None, agent: Some(bed.agent) };
    assert!(bed.store.awaiting(&reader).await.unwrap().messages);
    bed.store.bind_waiting(bed.agent).await.unwrap();
    assert!(!bed.store.awaiting(&reader).await.unwrap().messages);
    let mut lease = bed.claim(id).await;
    assert!(read(&bed, &mut lease).await.contains(&"7700.".to_owned()), "the next run of the agent reads it");
}

#[tokio::test]
async fn a_task_gets_as_much_as_it_can_read_in_the_order_of_the_inbox() {
    let bed = Bed::make().await;
    let most = usize::try_from(MOST_BOUND).unwrap();
    let task = post(&bed, "0").await.receivers[0].task.unwrap();
    for number in 1..most + 5 {
        post(&bed, &number.to_string()).await;
    }
    assert!(
        bed.store.sweep_messages().await.unwrap().bound.tasks.is_empty(),
        "it is full, and no other is made"
    );
    let mut lease = bed.claim(task).await;
    let mut all = read(&bed, &mut lease).await;
    assert_eq!(all.len(), most);
    bed.store.sweep_messages().await.unwrap();
    all.extend(read(&bed, &mut lease).await);
    assert_eq!(all, (0..most + 5).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_wakes_is_heard_behind_any_number_that_do_not_and_is_read_after_them() {
    let bed = Bed::make().await;
    let most = usize::try_from(MOST_BOUND).unwrap();
    let quiet = |number: usize| NewAgentMessage {
        wakes: Some(false),
        ..letter(Receivers::Agent(bed.agent), &number.to_string())
    };
    for number in 0..most + 3 {
        let sent = bed.store.send_agent_message(&quiet(number)).await.unwrap();
        assert_eq!(sent.receivers[0].state, DeliveryState::Pending, "it begins nothing");
    }
    assert!(bed.store.sweep_messages().await.unwrap().bound.tasks.is_empty());
    let sent = post(&bed, "wake up").await;
    let [(task, number)] = sent.bound.tasks[..] else { panic!("{:?}", sent.bound) };
    assert_eq!(usize::try_from(number).unwrap(), most);
    let mut lease = bed.claim(task).await;
    let mut all = read(&bed, &mut lease).await;
    bed.store.sweep_messages().await.unwrap();
    all.extend(read(&bed, &mut lease).await);
    let mut wanted: Vec<String> = (0..most + 3).map(|number| number.to_string()).collect();
    wanted.push("wake up".to_owned());
    assert_eq!(all, wanted);
}

#[tokio::test]
async fn nothing_passes_what_is_tried_again_in_its_conversation() {
    let bed = Bed::make().await;
    let one = post(&bed, "1").await;
    bed.settle(one.receivers[0].task.unwrap(), &outcome("fail")).await;
    bed.store.sweep_messages().await.unwrap();
    let second = NewAgentMessage {
        conversation: Some(one.message.conversation),
        ..letter(Receivers::Agent(bed.agent), "2")
    };
    let two = bed.store.send_agent_message(&second).await.unwrap();
    assert_eq!(two.receivers[0].state, DeliveryState::Pending, "it waits for the one before it");
    let beside = post(&bed, "of another conversation").await.receivers[0].task.unwrap();
    let mut lease = bed.claim(beside).await;
    assert_eq!(read(&bed, &mut lease).await, ["of another conversation"]);
    later(&bed).await;
    bed.store.sweep_messages().await.unwrap();
    assert_eq!(read(&bed, &mut lease).await, ["1", "2"]);
}

#[tokio::test]
async fn tasks_that_are_made_for_messages_do_not_make_others_for_ever() {
    let bed = Bed::make().await;
    let agents = [bed.agent, other(&bed, "qa").await];
    let mut task = post(&bed, "begin").await.receivers[0].task.unwrap();
    for hop in 1..=MOST_HOPS {
        let mut lease = bed.claim(task).await;
        read(&bed, &mut lease).await;
        let to = agents[usize::try_from(hop).unwrap() % 2];
        let from = Sender::Run { task, epoch: lease.epoch(), key: format!("{hop}") };
        let sent = bed
            .store
            .send_agent_message(&NewAgentMessage { from, ..letter(Receivers::Agent(to), "go on") })
            .await;
        bed.settle_with(&lease, &Outcome::Done(TaskResult::default())).await;
        if hop == MOST_HOPS {
            assert_eq!(code(sent), "too_many_hops");
            return;
        }
        task = sent.unwrap().receivers[0].task.unwrap();
    }
}

#[tokio::test]
async fn what_another_agent_was_sent_is_not_read_after_an_assignment() {
    let bed = Bed::make().await;
    let to = other(&bed, "qa").await;
    let sent = post(&bed, "for the builder").await;
    let task = sent.receivers[0].task.unwrap();
    bed.store.assign(task, to, "ada").await.unwrap();
    let mut lease = bed.claim(task).await;
    assert!(read(&bed, &mut lease).await.is_empty());
    assert!(bed.store.begin_call(&lease, "claude", b"hash").await.unwrap().is_some(), "nothing holds it up");
    bed.store.sweep_messages().await.unwrap();
    later(&bed).await;
    let again = bed.store.sweep_messages().await.unwrap();
    let mut lease = bed.claim(again.bound.tasks[0].0).await;
    assert_eq!(read(&bed, &mut lease).await, ["for the builder"]);
}
