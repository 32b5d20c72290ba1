//! What agents write to each other: accepted once, in order, read once, and never left lying.

use std::time::Duration;

use hive_domain::{
    AgentId, DeliveryState, MessageId, MessageKind, Outcome, Priority, ProjectId, StatusReason, TaskId, TaskStatus,
    conversation::{MOST_BOUND, MOST_HOPS},
    journal::{Entry, MAIL_FORMAT, TaskResult},
};
use hive_store::{
    DeliveryFilter, Error, InboxChange, NewAgentMessage, Reading, Receivers, Search, Sender, Sent, Undo,
};

use crate::bed::{Bed, new_agent, outcome};

fn letter(to: Receivers, content: &str) -> NewAgentMessage {
    NewAgentMessage {
        id: MessageId::new(),
        from: Sender::Person("ada".to_owned()),
        to,
        content: content.to_owned(),
        context_refs: Vec::new(),
        conversation: None,
        reply_to: None,
        answer_within: None,
        session: None,
        wakes: None,
        priority: Priority::default(),
    }
}

async fn other(bed: &Bed, name: &str) -> AgentId {
    let agent = new_agent(name, name);
    bed.store.create_agent(&agent).await.unwrap();
    agent.id
}

async fn post(bed: &Bed, content: &str) -> Sent {
    bed.store.send_agent_message(&letter(Receivers::Agent(bed.agent), content)).await.unwrap()
}

async fn read(bed: &Bed, lease: &mut hive_domain::Lease<hive_domain::task::Task>) -> Vec<String> {
    let Reading::Read(entries) = bed.store.read_messages(lease, &Undo::Nothing).await.unwrap() else { panic!() };
    let text = |entry| match entry {
        Entry::AgentMessage(message) => message.text,
        other => panic!("{other:?}"),
    };
    entries.into_iter().map(text).collect()
}

async fn states(bed: &Bed, agent: AgentId) -> Vec<(i64, DeliveryState, i32)> {
    let all = bed.store.inbox_after(agent, 0, &DeliveryFilter::default(), 200).await.unwrap();
    all.into_iter().map(|delivery| (delivery.place, delivery.state, delivery.tries)).collect()
}

async fn later(bed: &Bed) {
    sqlx::query("UPDATE message_deliveries SET visible_at = visible_at - interval '1 hour'")
        .execute(&bed.pool)
        .await
        .unwrap();
}

fn code(refused: hive_store::Result<impl std::fmt::Debug>) -> &'static str {
    match refused {
        Err(Error::Conflict { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

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
async fn a_call_that_is_made_again_sends_nothing_twice_and_a_lost_lease_nothing() {
    let bed = Bed::make().await;
    let to = other(&bed, "qa").await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    let run = |epoch| Sender::Run { task: id, epoch, key: format!("{id}.1.tool") };
    let new = |epoch| NewAgentMessage {
        from: run(epoch),
        answer_within: Some(Duration::from_secs(60)),
        ..letter(Receivers::Called("QA".to_owned()), "Which port?")
    };
    let first = bed.store.send_agent_message(&new(lease.epoch())).await.unwrap();
    assert_eq!((first.message.kind, first.message.trust.as_str()), (MessageKind::Question, "agent"));
    assert_eq!(first.message.from, Some(bed.agent));
    let again = bed.store.send_agent_message(&new(lease.epoch())).await.unwrap();
    assert_eq!((again.message.id, again.receivers), (first.message.id, first.receivers));
    bed.orphan(id).await;
    let other = NewAgentMessage { from: Sender::Run { task: id, epoch: lease.epoch(), key: "other".to_owned() }, ..new(0) };
    let fenced = bed.store.send_agent_message(&other).await;
    assert!(matches!(fenced, Err(Error::Fenced { .. })), "{fenced:?}");
    assert_eq!(states(&bed, to).await.len(), 1);
    assert_eq!(bed.task(id).await.journal_format, Some(MAIL_FORMAT), "builds that know no questions leave it alone");
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
    bed.store.bind_waiting(bed.agent).await.unwrap();
    let mut lease = bed.claim(id).await;
    assert!(read(&bed, &mut lease).await.contains(&"7700.".to_owned()), "the next run of the agent reads it");
}

#[tokio::test]
async fn what_a_task_ended_without_reading_comes_back_and_is_dead_in_the_end() {
    let bed = Bed::make().await;
    bed.store.change_inbox(bed.agent, &InboxChange { max_tries: Some(2), ..InboxChange::default() }).await.unwrap();
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
    bed.store.change_inbox(bed.agent, &InboxChange { pulled: Some(true), ..InboxChange::default() }).await.unwrap();
    for _ in 0..5 {
        post(&bed, "unread").await;
    }
    assert_eq!(bed.store.take_messages(bed.agent, 10, None).await.unwrap().len(), 5);
    later(&bed).await;
    assert_eq!(bed.store.sweep_messages().await.unwrap().opened, [bed.agent]);
    let refused = bed.store.send_agent_message(&letter(Receivers::Agent(bed.agent), "x")).await;
    assert!(matches!(refused, Err(Error::ReceiverFailing { agent, seconds: 1..=30 }) if agent == bed.agent), "{refused:?}");
    let other = other(&bed, "qa").await;
    let sent = bed.store.send_agent_message(&letter(Receivers::All, "x")).await.unwrap();
    assert_eq!((sent.receivers[0].agent, sent.refused[0].code), (other, "receiver_failing"));
    let first = bed.store.inbox_after(bed.agent, 0, &DeliveryFilter::default(), 1).await.unwrap()[0].message.id;
    bed.store.acknowledge(bed.agent, &[first], "ada").await.unwrap();
    post(&bed, "welcome back").await;
    assert_eq!(bed.store.inbox(bed.agent).await.unwrap().failures, 0);
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
async fn a_task_gets_as_much_as_it_can_read_in_the_order_of_the_inbox() {
    let bed = Bed::make().await;
    let most = usize::try_from(MOST_BOUND).unwrap();
    let task = post(&bed, "0").await.receivers[0].task.unwrap();
    for number in 1..most + 5 {
        post(&bed, &number.to_string()).await;
    }
    assert!(bed.store.sweep_messages().await.unwrap().bound.tasks.is_empty(), "it is full, and no other is made");
    let mut lease = bed.claim(task).await;
    let mut all = read(&bed, &mut lease).await;
    assert_eq!(all.len(), most);
    bed.store.sweep_messages().await.unwrap();
    all.extend(read(&bed, &mut lease).await);
    assert_eq!(all, (0..most + 5).map(|number| number.to_string()).collect::<Vec<_>>());
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
        let sent = bed.store.send_agent_message(&NewAgentMessage { from, ..letter(Receivers::Agent(to), "go on") }).await;
        bed.settle_with(&lease, &Outcome::Done(TaskResult::default())).await;
        if hop == MOST_HOPS {
            assert_eq!(code(sent), "too_many_hops");
            return;
        }
        task = sent.unwrap().receivers[0].task.unwrap();
    }
}

#[tokio::test]
async fn groups_are_chosen_and_what_names_nobody_is_refused() {
    let bed = Bed::make().await;
    let [qa, ops] = [other(&bed, "qa").await, other(&bed, "ops").await];
    let to = |receivers| {
        let bed = &bed;
        async move {
            let sent = bed.store.send_agent_message(&letter(receivers, "x")).await?;
            Ok::<_, Error>(sent.receivers.into_iter().map(|receiver| receiver.agent).collect::<Vec<_>>())
        }
    };
    assert_eq!(to(Receivers::Agents(vec![ops, qa])).await.unwrap(), [qa, ops]);
    assert_eq!(to(Receivers::Kind("qa".to_owned())).await.unwrap(), [qa]);
    assert_eq!(to(Receivers::All).await.unwrap().len(), 3);
    let before: i64 = sqlx::query_scalar("SELECT count(*) FROM conversations").fetch_one(&bed.pool).await.unwrap();
    for (receivers, field) in [
        (Receivers::Agent(AgentId::new()), "/to_agent_id"),
        (Receivers::Called("nobody".to_owned()), "/to_agent_id"),
        (Receivers::Agents(vec![qa, AgentId::new()]), "/to_agent_ids"),
    ] {
        let refused = to(receivers).await;
        assert!(matches!(&refused, Err(Error::Invalid { field: named, .. }) if *named == field), "{refused:?}");
    }
    assert_eq!(code(to(Receivers::Kind("painter".to_owned())).await), "no_receivers");
    sqlx::query("UPDATE agents SET status = 'inactive' WHERE id = $1").bind(ops.uuid()).execute(&bed.pool).await.unwrap();
    assert_eq!(code(to(Receivers::Agent(ops)).await), "receiver_inactive");
    let stranger = NewAgentMessage {
        from: Sender::InNameOf(bed.agent),
        reply_to: Some(MessageId::new()),
        ..letter(Receivers::Author, "x")
    };
    let refused = bed.store.send_agent_message(&stranger).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "/reply_to", .. })), "{refused:?}");
    let after: i64 = sqlx::query_scalar("SELECT count(*) FROM conversations").fetch_one(&bed.pool).await.unwrap();
    assert_eq!(after, before, "what is refused leaves nothing");
}

#[tokio::test]
async fn a_search_finds_words_that_the_reader_may_read() {
    let bed = Bed::make().await;
    let [qa, ops] = [other(&bed, "qa").await, other(&bed, "ops").await];
    let write = |from, to, text: &str| {
        let new = NewAgentMessage { from: Sender::InNameOf(from), ..letter(Receivers::Agent(to), text) };
        let bed = &bed;
        async move { bed.store.send_agent_message(&new).await.unwrap().message.id }
    };
    let planted = write(bed.agent, qa, "We decided: the gateway listens on port 7700.").await;
    let others = write(qa, bed.agent, "The gateways are listening, and port 9 is secret.").await;
    let find = |reader: Option<AgentId>, query: &str| {
        let search = Search {
            query: query.to_owned(),
            project: ProjectId::DEFAULT,
            reader,
            conversation: None,
            from: None,
            since: None,
            limit: 10,
        };
        let bed = &bed;
        async move {
            let found = bed.store.search_messages(&search).await.unwrap();
            found.into_iter().map(|hit| hit.message.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(find(None, "decided gateway").await, [planted]);
    assert_eq!(find(Some(qa), "listening gateways").await.len(), 2, "by the stem of a word");
    assert_eq!(find(Some(qa), "gateway -secret").await, [planted]);
    assert_eq!(find(Some(bed.agent), "\"port 9\"").await, [others]);
    assert!(find(Some(ops), "gateway").await.is_empty(), "it had no part in it");
}

#[tokio::test]
async fn what_was_told_stands_in_the_order_in_which_it_was_sent_by_many_at_once() {
    const SENDERS: usize = 8;
    const EACH: usize = 6;
    let bed = Bed::make().await;
    let first = post(&bed, "first").await.message;
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..SENDERS {
        let (store, agent, conversation) = (bed.store.clone(), bed.agent, first.conversation);
        senders.spawn(async move {
            for number in 0..EACH {
                let new = NewAgentMessage {
                    conversation: Some(conversation),
                    ..letter(Receivers::Agent(agent), &number.to_string())
                };
                store.send_agent_message(&new).await.unwrap();
            }
        });
    }
    senders.join_all().await;
    let all = bed.store.inbox_after(bed.agent, 0, &DeliveryFilter::default(), 200).await.unwrap();
    let expected: Vec<i64> = (1..=i64::try_from(SENDERS * EACH + 1).unwrap()).collect();
    assert_eq!(all.iter().map(|delivery| delivery.place).collect::<Vec<_>>(), expected);
    assert_eq!(all.iter().map(|delivery| delivery.message.number).collect::<Vec<_>>(), expected);
    let tasks: Vec<Option<TaskId>> = all.iter().map(|delivery| delivery.task).collect();
    assert!(tasks.iter().flatten().all(|task| Some(*task) == tasks[0]), "one task was made");
    // From a place on, the same again.
    let rest = bed.store.inbox_after(bed.agent, 40, &DeliveryFilter::default(), 200).await.unwrap();
    assert_eq!(rest.iter().map(|delivery| delivery.place).collect::<Vec<_>>(), expected[40..]);
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

#[tokio::test]
async fn old_messages_go_when_nothing_names_them_any_more() {
    let bed = Bed::make().await;
    let old = post(&bed, "old").await.message;
    bed.store.acknowledge(bed.agent, &[old.id], "ada").await.unwrap();
    let kept = NewAgentMessage { conversation: Some(old.conversation), ..letter(Receivers::Agent(bed.agent), "kept") };
    let kept = bed.store.send_agent_message(&kept).await.unwrap().message;
    sqlx::query("UPDATE conversations SET created_at = created_at - interval '100 days'").execute(&bed.pool).await.unwrap();
    let would = bed.keep_house("conversations_retention", true).await;
    assert_eq!(would.report["message_deliveries"], 1);
    bed.keep_house("conversations_retention", false).await;
    let left: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM conversations").fetch_all(&bed.pool).await.unwrap();
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
        let two =
            NewAgentMessage { conversation: Some(one.conversation), ..letter(Receivers::Agent(bed.agent), "two") };
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
