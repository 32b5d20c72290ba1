//! After a message was committed: tickets for the tasks that it made or woke, and a nudge for everybody who listens. What
//! fails here the scheduler does.

use hive_queue::{Ticket, agent_events};
use hive_store::{Announcement, Bound, Sent};
use serde_json::json;

use crate::app::{App, TASK_UPDATES};

impl App {
    /// Tickets, free places of keys, and the watchers of the tasks that something was bound to.
    pub async fn deliver(&self, bound: &Bound) {
        let mut tickets: Vec<Announcement> = bound.woken.iter().filter_map(|woken| woken.ticket).collect();
        let keys: Vec<String> = bound.woken.iter().filter_map(|woken| woken.key.clone()).collect();
        match self.store.admit(&keys).await {
            Ok(admitted) => tickets.extend(admitted),
            Err(error) => tracing::debug!(%error, "Places of keys are given away later"),
        }
        let ticket =
            |to: &Announcement| Ticket::new(to.task.uuid(), to.epoch, to.priority.into(), to.isolated);
        self.queue.announce(&tickets.iter().map(ticket).collect::<Vec<_>>()).await;
        for (task, _) in &bound.tasks {
            self.queue.notify(TASK_UPDATES, &json!({ "task_id": task }).to_string()).await;
        }
    }

    /// Says on each receiver's channel that there is something to read.
    pub async fn tell_receivers(&self, sent: &Sent) {
        for receiver in &sent.receivers {
            let event = json!({ "message_id": sent.message.id, "place": receiver.place });
            self.queue.notify(&agent_events(receiver.agent), &event.to_string()).await;
        }
    }
}
