//! Messages between agents: what did not arrive goes on its way again, and Redis lists what waits.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::Context;
use hive_domain::AgentId;
use hive_queue::Ticket;
use hive_store::{Announcement, Swept};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::reconcile::CHANNEL;
use crate::{Doors, duty::Duty};

const EVERY: Duration = Duration::from_secs(1);
/// How often every list is written anew, should Redis have come back with old ones.
const WHOLE_EVERY: Duration = Duration::from_secs(60);

/// The lists that this scheduler wrote, so that a pass in which nothing changed writes none.
#[derive(Debug, Default)]
pub struct Listed {
    lists: HashMap<AgentId, Vec<String>>,
    whole_at: Option<Instant>,
}

/// One pass over Postgres. Tickets follow at once; a lost one is found by the reconciler.
///
/// # Errors
/// Postgres is away; the next pass does it.
pub async fn messages(doors: &Doors) -> anyhow::Result<Swept> {
    let swept = doors.store.sweep_messages().await.context("Messages could not be looked after")?;
    let tickets = swept.bound.woken.iter().filter_map(|woken| woken.ticket.as_ref());
    doors.queue.announce(&tickets.map(ticket).collect::<Vec<_>>()).await;
    for (task, _) in &swept.bound.tasks {
        doors.queue.notify(CHANNEL, &json!({ "task_id": task }).to_string()).await;
    }
    for (agent, message) in &swept.dead {
        tracing::warn!("Message {message} to agent {agent} is a dead letter: its tries are used up");
    }
    for agent in &swept.opened {
        tracing::warn!("Agent {agent} keeps failing to receive; nobody may write to it for a while");
    }
    Ok(swept)
}

/// Writes the lists that changed, or all of them after Redis forgot. Returns how many were written.
///
/// # Errors
/// Postgres or Redis is away; the next pass does it.
pub async fn list_mailboxes(doors: &Doors, listed: &mut Listed) -> anyhow::Result<usize> {
    let now: HashMap<AgentId, Vec<String>> = doors
        .store
        .mailboxes()
        .await
        .context("What waits for agents could not be read")?
        .into_iter()
        .map(|mailbox| (mailbox.agent, mailbox.messages.iter().map(ToString::to_string).collect()))
        .collect();
    let was_there = doors.queue.mark_mailboxes().await.context("Redis does not answer")?;
    let whole = !was_there || listed.whole_at.is_none_or(|at| at.elapsed() >= WHOLE_EVERY);
    let changed: Vec<(String, Vec<String>)> = now
        .iter()
        .filter(|(agent, messages)| whole || listed.lists.get(agent) != Some(messages))
        .map(|(agent, messages)| (agent.to_string(), messages.clone()))
        .collect();
    doors.queue.write_mailboxes(&changed).await.context("The lists of messages could not be written")?;
    listed.lists = now;
    if whole {
        listed.whole_at = Some(Instant::now());
    }
    Ok(changed.len())
}

fn ticket(of: &Announcement) -> Ticket {
    Ticket::new(of.task.uuid(), of.epoch, of.priority.into(), of.isolated)
}

/// A pass each second until `stop`.
pub(crate) async fn keep_messages(doors: Doors, stop: CancellationToken) {
    let (mut duty, mut lists) = (Duty::new("messages", EVERY), Duty::new("mailboxes", EVERY));
    let mut listed = Listed::default();
    while !stop.is_cancelled() {
        let through = doors.clone();
        duty.attempt(async move { messages(&through).await }).await;
        let through = doors.clone();
        let mut taken = std::mem::take(&mut listed);
        let written = lists.attempt(async move {
            list_mailboxes(&through, &mut taken).await?;
            Ok(taken)
        });
        // After a failure nothing is known, and all is written anew.
        listed = written.await.unwrap_or_default();
        tokio::select! {
            () = stop.cancelled() => {}
            () = duty.pause() => {}
        }
    }
}
