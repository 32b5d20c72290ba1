//! What is accepted, from whom and for whom, and how it is found again.

use std::time::Duration;

use hive_domain::{AgentId, MessageId, MessageKind, ProjectId, TaskId, journal::MAIL_FORMAT};
use hive_store::{DeliveryFilter, Error, NewAgentMessage, Receivers, Search, Sender};

use super::{code, letter, other, post, states};
use crate::bed::Bed;

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
    let other = NewAgentMessage {
        from: Sender::Run { task: id, epoch: lease.epoch(), key: "other".to_owned() },
        ..new(0)
    };
    let fenced = bed.store.send_agent_message(&other).await;
    assert!(matches!(fenced, Err(Error::Fenced { .. })), "{fenced:?}");
    assert_eq!(states(&bed, to).await.len(), 1);
    assert_eq!(
        bed.task(id).await.journal_format,
        Some(MAIL_FORMAT),
        "builds that know no questions leave it alone"
    );
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
    let before: i64 =
        sqlx::query_scalar("SELECT count(*) FROM conversations").fetch_one(&bed.pool).await.unwrap();
    for (receivers, field) in [
        (Receivers::Agent(AgentId::new()), "/to_agent_id"),
        (Receivers::Called("nobody".to_owned()), "/to_agent_id"),
        (Receivers::Agents(vec![qa, AgentId::new()]), "/to_agent_ids"),
    ] {
        let refused = to(receivers).await;
        assert!(
            matches!(&refused, Err(Error::Invalid { field: named, .. }) if *named == field),
            "{refused:?}"
        );
    }
    assert_eq!(code(to(Receivers::Kind("painter".to_owned())).await), "no_receivers");
    sqlx::query("UPDATE agents SET status = 'inactive' WHERE id = $1")
        .bind(ops.uuid())
        .execute(&bed.pool)
        .await
        .unwrap();
    assert_eq!(code(to(Receivers::Agent(ops)).await), "receiver_inactive");
    let stranger = NewAgentMessage {
        from: Sender::InNameOf(bed.agent),
        reply_to: Some(MessageId::new()),
        ..letter(Receivers::Author, "x")
    };
    let refused = bed.store.send_agent_message(&stranger).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "/reply_to", .. })), "{refused:?}");
    let after: i64 =
        sqlx::query_scalar("SELECT count(*) FROM conversations").fetch_one(&bed.pool).await.unwrap();
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
