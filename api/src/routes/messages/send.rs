//! `POST /api/v1/messages/send`

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode, response::Response};
use hive_domain::{
    AgentId, MessageId, Priority,
    conversation::{LONGEST_ASK, MAX_CONTENT_BYTES},
};
use hive_store::{NewAgentMessage, Receivers, Sender};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{ACTOR, App},
    error::Result,
    faults::Faults,
    idempotency::{self, Keyed, Turn},
    views::SentMessageView,
};

/// Receivers that may be named.
const MOST_NAMED: usize = 1_000;
/// Things that one message may speak of.
const MOST_REFS: usize = 100;

/// A message to be sent. `content` is required, and one of the fields that say who receives it, unless it replies.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAgentMessage)]
pub struct Letter {
    /// The agent in whose name it is sent; a person's own word without it. What agents send by themselves bears the name
    /// of the agent that holds the task, whatever it says.
    from_agent_id: Option<Uuid>,
    /// To this agent.
    to_agent_id: Option<Uuid>,
    /// To these agents.
    #[schema(min_items = 1, max_items = 1000)]
    to_agent_ids: Option<Vec<Uuid>>,
    /// To all active agents of this type.
    to_agent_type: Option<String>,
    /// To all active agents with an open task in this session.
    to_session_id: Option<Uuid>,
    /// To all active agents of the project.
    #[serde(default)]
    broadcast: bool,
    /// What they read, at most 8,000 bytes.
    #[schema(min_length = 1)]
    content: String,
    /// Things that it speaks of, by their ids.
    #[serde(default)]
    #[schema(max_items = 100)]
    context_refs: Vec<Uuid>,
    /// The conversation that it goes on. A new one without it, and that of the message that it replies to.
    conversation_id: Option<Uuid>,
    /// The message that it replies to; without a receiver it goes to whoever wrote that.
    reply_to: Option<Uuid>,
    /// Makes it a question: how long an answer is waited for, in seconds.
    #[schema(minimum = 1, maximum = 86400)]
    answer_within_seconds: Option<u64>,
    /// What it is grouped with: a task of that session reads it first.
    session_id: Option<Uuid>,
    /// Whether an idle agent gets a task for it. Of a broadcast no, else yes, unless given.
    wake: Option<bool>,
    /// How urgent such a task is.
    #[serde(default = "five")]
    #[schema(minimum = 1, maximum = 9, default = 5)]
    priority: i64,
}

const fn five() -> i64 {
    5
}

impl Letter {
    fn check(self) -> Result<NewAgentMessage> {
        let mut faults = Faults::default();
        faults.demand(!self.content.trim().is_empty(), "/content", "must not be empty");
        faults.demand_bytes(self.content.len(), MAX_CONTENT_BYTES, "/content");
        faults.demand_count(self.context_refs.len(), MOST_REFS, "/context_refs");
        let within = self.answer_within_seconds;
        let fits = within.is_none_or(|within| (1..=LONGEST_ASK.unsigned_abs()).contains(&within));
        faults.demand(fits, "/answer_within_seconds", "must be 1 to 86400");
        if let Some(ids) = &self.to_agent_ids {
            faults.demand(!ids.is_empty(), "/to_agent_ids", "must not be empty");
            faults.demand_count(ids.len(), MOST_NAMED, "/to_agent_ids");
        }
        let priority = Priority::try_from(self.priority);
        if let Err(error) = &priority {
            faults.refuse("/priority", error.to_string());
        }
        let to = [
            self.to_agent_id.map(|id| Receivers::Agent(id.into())),
            self.to_agent_ids.map(|ids| Receivers::Agents(ids.into_iter().map(AgentId::from).collect())),
            self.to_agent_type.map(Receivers::Kind),
            self.to_session_id.map(|id| Receivers::Session(id.into())),
            self.broadcast.then_some(Receivers::All),
        ];
        let mut to: Vec<Receivers> = to.into_iter().flatten().collect();
        match (to.len(), self.reply_to) {
            (1, _) | (0, Some(_)) => {}
            (0, None) => faults.refuse(
                "/to_agent_id",
                "or to_agent_ids, to_agent_type, to_session_id or broadcast is required",
            ),
            _ => {
                faults.refuse("/to_agent_id", "only one of the fields that say who receives it may be given");
            }
        }
        let is_direct = matches!(to.first(), None | Some(Receivers::Agent(_)));
        faults.demand(within.is_none() || is_direct, "/answer_within_seconds", "a question is for one agent");
        faults.finish()?;
        Ok(NewAgentMessage {
            id: MessageId::new(),
            from: self
                .from_agent_id
                .map_or_else(|| Sender::Person(ACTOR.to_owned()), |id| Sender::InNameOf(id.into())),
            to: to.pop().unwrap_or(Receivers::Author),
            content: self.content,
            context_refs: self.context_refs,
            conversation: self.conversation_id.map(Into::into),
            reply_to: self.reply_to.map(Into::into),
            answer_within: within.map(Duration::from_secs),
            session: self.session_id.map(Into::into),
            wakes: self.wake,
            priority: priority.unwrap_or_default(),
        })
    }
}

/// Sends a message to one agent, to several or to all. It is stored before it is acknowledged. An agent at work reads it
/// at its next step, one that sleeps is woken, and one that is idle gets a task for it.
#[utoipa::path(
    post,
    path = "/api/v1/messages/send",
    operation_id = "send_agent_message",
    tag = "messages",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")),
    request_body = Letter,
    responses(
        (status = 201, body = SentMessageView, description = "Accepted and stored."),
        (status = 503, description = "`receiver_failing`: the receiver kept failing to read what it was sent; `Retry-After` \
                                      says when it takes messages again.")
    )
)]
pub async fn handle(State(app): State<Arc<App>>, Keyed { body, key, .. }: Keyed<Letter>) -> Result<Response> {
    let new = body.check()?;
    let mut once = match idempotency::begin(&app, key.as_ref()).await? {
        Turn::Ours(once) => once,
        Turn::Over(answer) => return Ok(answer),
    };
    let sent = once.send_agent_message(&new).await?;
    let view = SentMessageView::from(&sent);
    let answer = idempotency::finish(once, StatusCode::CREATED, None, &view).await?;
    app.memory.wants_vectors();
    app.deliver(&sent.bound).await;
    app.tell_receivers(&sent).await;
    Ok(answer)
}
