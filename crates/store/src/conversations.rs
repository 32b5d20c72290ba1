//! What agents write to each other. A message is committed together with a delivery for each receiver before anybody is
//! told that it was accepted. A delivery is bound to a task of its agent, or taken by a receiver outside; what is not
//! acknowledged comes back, and what keeps coming back is dead in the end.
//!
//! A task reads what is bound to it at a step edge: the journal entry and the acknowledgement are one transaction, so
//! that no agent reads a message twice. Locks are taken in one order: a thread, inboxes by agent, tasks by id.

mod ack;
mod answers;
mod bind;
mod dead;
mod inbox;
mod list;
mod meaning;
mod origin;
mod plan;
mod receivers;
mod search;
mod send;
mod sweep;

use std::time::Duration;

pub use ack::Acknowledged;
pub use answers::{Answers, Asked};
pub use bind::{Bound, Woken};
use chrono::{DateTime, Utc};
pub use dead::Redriven;
use hive_domain::{
    AgentId, Audience, ConversationId, DeliveryState, MessageId, MessageKind, Priority, SessionId, TaskId,
};
pub use inbox::{Inbox, InboxChange, Mailbox};
pub use list::{Delivery, DeliveryFilter};
pub use meaning::{DueMessage, NearMessage};
pub use search::{Found, Search};
pub use sweep::Swept;

use crate::error::{Error, Result};

/// Who writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A person.
    Person(String),
    /// An agent in whose name a person writes.
    InNameOf(AgentId),
    /// The agent of a run, which holds its lease.
    Run {
        /// The task.
        task: TaskId,
        /// The epoch of the lease.
        epoch: i64,
        /// Names the call that sends: made again, it is the same message.
        key: String,
    },
}

/// Who is written to. Whoever writes receives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receivers {
    /// Whoever wrote the message that is replied to.
    Author,
    /// One agent.
    Agent(AgentId),
    /// One agent by its id or its name in the project.
    Called(String),
    /// These agents.
    Agents(Vec<AgentId>),
    /// Active agents of this type.
    Kind(String),
    /// Active agents that have an open task in this session.
    Session(SessionId),
    /// All active agents of the project.
    All,
}

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct NewAgentMessage {
    /// Chosen by the caller.
    pub id: MessageId,
    /// Who writes.
    pub from: Sender,
    /// Who is written to.
    pub to: Receivers,
    /// What is written: at most [`hive_domain::conversation::MAX_CONTENT_BYTES`].
    pub content: String,
    /// Things that it speaks of, by their ids.
    pub context_refs: Vec<uuid::Uuid>,
    /// The conversation that it goes on; a new one unless it replies to something.
    pub conversation: Option<ConversationId>,
    /// The message that it replies to.
    pub reply_to: Option<MessageId>,
    /// How long its sender waits for an answer: makes it a question.
    pub answer_within: Option<Duration>,
    /// What it is grouped with; that of the run that sends it unless named.
    pub session: Option<SessionId>,
    /// Whether an idle agent gets a task for it: for a broadcast no, else yes, unless said.
    pub wakes: Option<bool>,
    /// How urgent such a task is.
    pub priority: Priority,
}

/// A message that was accepted.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Its id.
    pub id: MessageId,
    /// The conversation.
    pub conversation: ConversationId,
    /// Its number there, from 1 without gaps.
    pub number: i64,
    /// The agent that wrote it; none for a person.
    pub from: Option<AgentId>,
    /// The run that wrote it.
    pub from_task: Option<TaskId>,
    /// What the sender was called.
    pub from_name: String,
    /// The receiver of a direct one.
    pub to: Option<AgentId>,
    /// How many receive it.
    pub audience: Audience,
    /// What it is.
    pub kind: MessageKind,
    /// What was written.
    pub content: String,
    /// Things that it speaks of.
    pub context_refs: Vec<uuid::Uuid>,
    /// Whose words these are: `user` or `agent`.
    pub trust: String,
    /// The message that it replies to.
    pub reply_to: Option<MessageId>,
    /// Until when an answer is waited for.
    pub answer_by: Option<DateTime<Utc>>,
    /// What it is grouped with.
    pub session: Option<SessionId>,
    /// Whether an idle agent gets a task for it.
    pub wakes: bool,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

/// What became of a message for one of its receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// The agent.
    pub agent: AgentId,
    /// Its place in the agent's inbox.
    pub place: i64,
    /// How far it has come.
    pub state: DeliveryState,
    /// The task that it is bound to.
    pub task: Option<TaskId>,
}

/// An agent that does not take a message now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedReceiver {
    /// The agent.
    pub agent: AgentId,
    /// Why: `receiver_failing` or `inbox_full`.
    pub code: &'static str,
}

/// What sending came to.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The message.
    pub message: StoredMessage,
    /// Who receives it.
    pub receivers: Vec<Receiver>,
    /// Who does not, of a group or a broadcast.
    pub refused: Vec<RefusedReceiver>,
    /// What was bound, this message and earlier ones.
    pub bound: Bound,
}

/// The columns of a message, as `stored!` reads them.
struct Row {
    id: uuid::Uuid,
    thread_id: uuid::Uuid,
    number: i64,
    from_agent_id: Option<uuid::Uuid>,
    from_task_id: Option<uuid::Uuid>,
    from_name: String,
    to_agent_id: Option<uuid::Uuid>,
    audience: String,
    message_type: String,
    content: String,
    context_refs: Vec<uuid::Uuid>,
    trust: String,
    reply_to: Option<uuid::Uuid>,
    answer_by: Option<DateTime<Utc>>,
    session_id: Option<uuid::Uuid>,
    wakes: bool,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for StoredMessage {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let bad = |column| move |e| Error::inconsistent("conversations", column, row.id, e);
        Ok(Self {
            id: row.id.into(),
            conversation: row.thread_id.into(),
            number: row.number,
            from: row.from_agent_id.map(Into::into),
            from_task: row.from_task_id.map(Into::into),
            from_name: row.from_name,
            to: row.to_agent_id.map(Into::into),
            audience: row.audience.parse().map_err(bad("audience"))?,
            kind: row.message_type.parse().map_err(bad("message_type"))?,
            content: row.content,
            context_refs: row.context_refs,
            trust: row.trust,
            reply_to: row.reply_to.map(Into::into),
            answer_by: row.answer_by,
            session: row.session_id.map(Into::into),
            wakes: row.wakes,
            at: row.created_at,
        })
    }
}
