//! What agents write to each other: accepted once, in order, read once, and never left lying.

mod failing;
mod meaning;
mod reading;
mod sending;

use hive_domain::{AgentId, DeliveryState, Lease, MessageId, Priority, journal::Entry, task::Task};
use hive_store::{DeliveryFilter, Error, NewAgentMessage, Reading, Receivers, Sender, Sent, Undo};

use crate::bed::{Bed, new_agent};

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

async fn read(bed: &Bed, lease: &mut Lease<Task>) -> Vec<String> {
    let Reading::Read(entries) = bed.store.read_messages(lease, &Undo::Nothing).await.unwrap() else {
        panic!()
    };
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
