//! A person's message to a task, as it is shown.

use chrono::{DateTime, Utc};
use hive_domain::MessagePolicy;
use hive_store::Message;
use serde::Serialize;
use utoipa::ToSchema;

use super::names;

/// Whether the agent read it.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MessageState)]
enum State {
    /// Not yet.
    Waiting,
    /// It is in the journal.
    Read,
    /// The task ended before.
    Missed,
}

/// What a person told the agent of a task.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView {
    /// Its number in the task, from 1 without gaps.
    number: i32,
    /// What was written.
    text: String,
    /// What it does to a run at work.
    #[schema(schema_with = names::message_policy)]
    policy: MessagePolicy,
    /// Who wrote.
    author: String,
    /// Whether the agent read it.
    state: State,
    /// When it was accepted.
    created_at: DateTime<Utc>,
    /// The journal entry that holds it.
    step: Option<i32>,
    /// When that was committed.
    read_at: Option<DateTime<Utc>>,
}

impl From<Message> for MessageView {
    fn from(message: Message) -> Self {
        let state = match (message.read, message.missed) {
            (Some(_), _) => State::Read,
            (None, true) => State::Missed,
            (None, false) => State::Waiting,
        };
        Self {
            number: message.number,
            text: message.text,
            policy: message.policy,
            author: message.author,
            state,
            created_at: message.at,
            step: message.read.map(|(step, _)| step),
            read_at: message.read.map(|(_, at)| at),
        }
    }
}
