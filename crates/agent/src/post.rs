//! What a run writes to other agents. The message is committed with the run's lease held, under a name that the call
//! keeps: a call that is cut and made again sends nothing twice.

use chrono::{DateTime, Utc};
use hive_domain::{MessageId, ToolName, journal::ToolCall};
use hive_queue::{Ticket, agent_events};
use hive_store::{Bound, Error, NewAgentMessage, Receivers, Sender, Sent};
use serde_json::json;

use crate::{
    act::readable,
    doze::stamp,
    run::{Activation, Agent, Stopped, TASK_UPDATES},
    tools::{self, ToolError, Words},
};

impl Activation<'_> {
    /// Sends what a call says. A question's time is among those that the run waits for.
    pub(crate) async fn write_to_agent(
        &mut self,
        tool: ToolName,
        call: &ToolCall,
        wake_at: &mut Option<DateTime<Utc>>,
    ) -> Result<Result<String, ToolError>, Stopped> {
        let words = match readable(call).and_then(|input| tools::words(tool, input)) {
            Ok(words) => words,
            Err(error) => return Ok(Err(error)),
        };
        let new = self.letter(call, words);
        let sent = match self.persist_or_tell(&new).await? {
            Ok(sent) => sent,
            Err(told) => return Ok(Err(ToolError::Tell(told))),
        };
        self.agent.deliver(&sent.bound).await;
        self.agent.tell_receivers(&sent).await;
        let message = &sent.message;
        Ok(Ok(match message.answer_by {
            Some(until) => {
                *wake_at = Some(wake_at.map_or(until, |other| other.max(until)));
                format!(
                    "asked as message {} in conversation {}; you go on with the answer, or at {}",
                    message.id,
                    message.conversation,
                    stamp(until)
                )
            }
            None => format!("sent as message {} in conversation {}", message.id, message.conversation),
        }))
    }

    fn letter(&self, call: &ToolCall, words: Words) -> NewAgentMessage {
        let task = self.lease.task();
        NewAgentMessage {
            id: MessageId::new(),
            from: Sender::Run {
                task,
                epoch: self.lease.epoch(),
                // The same for each try of this call, and for no other call.
                key: format!("{task}.{}.{}", self.transcript.reply_seq(), call.id),
            },
            to: words.to.map_or(Receivers::Author, |to| Receivers::Called(to.trim().to_owned())),
            content: words.text,
            context_refs: Vec::new(),
            conversation: None,
            reply_to: words.reply_to,
            answer_within: words.within,
            session: None,
            wakes: None,
            priority: self.lease.leased.priority,
        }
    }

    /// What the model can mend, or has to live with, it is told.
    async fn persist_or_tell(&self, new: &NewAgentMessage) -> Result<Result<Sent, String>, Stopped> {
        self.persist(|| async {
            match self.agent.store.send_agent_message(new).await {
                Ok(sent) => Ok(Ok(sent)),
                Err(Error::Invalid { field, message }) => {
                    Ok(Err(format!("{}: {message}", field.trim_start_matches('/'))))
                }
                Err(Error::Conflict { code, message }) => Ok(Err(format!("{code}: {message}"))),
                Err(error @ Error::ReceiverFailing { .. }) => Ok(Err(format!("receiver_failing: {error}"))),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// What waits for the agent and woke nobody is read by the task that begins.
    pub(crate) async fn collect_mail(&mut self) -> Result<(), Stopped> {
        let Some(agent) = self.lease.leased.agent.as_ref().map(|agent| agent.id) else { return Ok(()) };
        let bound = self.persist(|| self.agent.store.bind_waiting(agent)).await?;
        self.agent.deliver(&bound).await;
        Ok(())
    }
}

impl Agent {
    /// After the commit: tickets of the tasks that a message made or woke, and a nudge for those who watch. What fails
    /// here the reconciler does.
    pub(crate) async fn deliver(&self, bound: &Bound) {
        let mut tickets: Vec<_> = bound.woken.iter().filter_map(|woken| woken.ticket).collect();
        let keys: Vec<String> = bound.woken.iter().filter_map(|woken| woken.key.clone()).collect();
        match self.store.admit(&keys).await {
            Ok(admitted) => tickets.extend(admitted),
            Err(error) => tracing::debug!(%error, "Places of keys are given away later"),
        }
        let ticket = |to: &hive_store::Announcement| {
            Ticket::new(to.task.uuid(), to.epoch, to.priority.into(), to.isolated)
        };
        self.queue.announce(&tickets.iter().map(ticket).collect::<Vec<_>>()).await;
        for (task, _) in &bound.tasks {
            self.queue.notify(TASK_UPDATES, &json!({ "task_id": task }).to_string()).await;
        }
    }

    /// Says on each receiver's channel that there is something to read.
    async fn tell_receivers(&self, sent: &Sent) {
        for receiver in &sent.receivers {
            let event = json!({ "message_id": sent.message.id, "place": receiver.place });
            self.queue.notify(&agent_events(receiver.agent), &event.to_string()).await;
        }
    }
}

/// The words for a question that nobody answered in its time: typed, so that the model can tell it from an answer.
pub(crate) fn unanswered(questions: &[(String, MessageId)]) -> String {
    let mut text = "timeout: no answer came in time".to_owned();
    for (name, id) in questions {
        text.push_str(&format!("\n- from {name:?} to your question {id}"));
    }
    text.push_str("\nGo on without it, or ask again. An answer that comes later reaches you as a message.");
    text
}
