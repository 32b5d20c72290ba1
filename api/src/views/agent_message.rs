//! A message between agents, and how far it has come, as they are shown.

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, Audience, DeliveryState, MessageKind, SessionId, TaskId};
use hive_store::{Answers, Asked, Delivery, Inbox, Sent, StoredMessage};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::names;

/// What was written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentMessage)]
pub struct AgentMessageView {
    /// Its id.
    id: Uuid,
    /// The conversation that it belongs to.
    conversation_id: Uuid,
    /// Its number there, from 1 without gaps.
    number: i64,
    /// The agent that wrote it; null when a person did.
    from_agent_id: Option<Uuid>,
    /// The task whose run wrote it.
    from_task_id: Option<Uuid>,
    /// What the sender was called.
    from_name: String,
    /// The receiver of a direct message.
    to_agent_id: Option<Uuid>,
    /// How many receive it.
    #[schema(schema_with = names::audience)]
    audience: Audience,
    /// What it is.
    #[schema(schema_with = names::message_kind)]
    message_type: MessageKind,
    /// What was written.
    content: String,
    /// Things that it speaks of.
    context_refs: Vec<Uuid>,
    /// Whose words these are: `user` or `agent`. It never rises.
    trust: String,
    /// The message that it replies to.
    reply_to: Option<Uuid>,
    /// Until when an answer is waited for.
    answer_by: Option<DateTime<Utc>>,
    /// How a question stands; null for anything else.
    answer: Option<AnswerView>,
    /// What it is grouped with.
    session_id: Option<Uuid>,
    /// Whether an idle agent gets a task for it.
    wakes: bool,
    /// When it was committed.
    created_at: DateTime<Utc>,
}

/// How a question stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageAnswer)]
struct AnswerView {
    /// Whether there is an answer.
    state: AnswerState,
    /// The first answer of whom it was put to.
    message_id: Option<Uuid>,
    /// The number of that in the conversation.
    number: Option<i64>,
}

/// Whether there is an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MessageAnswerState)]
enum AnswerState {
    /// None yet, and its time is not over.
    Awaited,
    /// There is one, in time or later.
    Answered,
    /// None, and its time is over.
    Unanswered,
}

impl From<Asked> for AnswerView {
    fn from(asked: Asked) -> Self {
        let state = match (asked.answer, asked.is_overdue) {
            (Some(_), _) => AnswerState::Answered,
            (None, true) => AnswerState::Unanswered,
            (None, false) => AnswerState::Awaited,
        };
        let (message_id, number) = asked.answer.unzip();
        Self { state, message_id: message_id.map(hive_domain::MessageId::uuid), number }
    }
}

impl AgentMessageView {
    /// A message; a question that `answers` does not know of was asked just now.
    pub fn new(message: StoredMessage, answers: &Answers) -> Self {
        let is_question = message.kind == MessageKind::Question;
        let asked = is_question.then(|| answers.get(&message.id).copied().unwrap_or_default());
        Self {
            answer: asked.map(AnswerView::from),
            id: message.id.uuid(),
            conversation_id: message.conversation.uuid(),
            number: message.number,
            from_agent_id: message.from.map(AgentId::uuid),
            from_task_id: message.from_task.map(TaskId::uuid),
            from_name: message.from_name,
            to_agent_id: message.to.map(AgentId::uuid),
            audience: message.audience,
            message_type: message.kind,
            content: message.content,
            context_refs: message.context_refs,
            trust: message.trust,
            reply_to: message.reply_to.map(hive_domain::MessageId::uuid),
            answer_by: message.answer_by,
            session_id: message.session.map(SessionId::uuid),
            wakes: message.wakes,
            created_at: message.at,
        }
    }
}

/// A message that was accepted, and who receives it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SentMessage)]
pub struct SentMessageView {
    /// The message.
    #[serde(flatten)]
    message: AgentMessageView,
    /// Who receives it.
    receivers: Vec<ReceiverView>,
    /// Who does not, of a group or a broadcast.
    refused: Vec<RefusedView>,
}

/// One receiver.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageReceiver)]
struct ReceiverView {
    /// The agent.
    agent_id: Uuid,
    /// The place of the message in its inbox.
    place: i64,
    /// How far it has come.
    #[schema(schema_with = names::delivery_state)]
    state: DeliveryState,
    /// The task that reads it.
    task_id: Option<Uuid>,
}

/// An agent that does not take it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefusedReceiver)]
struct RefusedView {
    /// The agent.
    agent_id: Uuid,
    /// Why, a stable code: `receiver_failing` or `inbox_full`.
    code: &'static str,
}

impl From<&Sent> for SentMessageView {
    fn from(sent: &Sent) -> Self {
        let receivers = sent.receivers.iter().map(|receiver| ReceiverView {
            agent_id: receiver.agent.uuid(),
            place: receiver.place,
            state: receiver.state,
            task_id: receiver.task.map(TaskId::uuid),
        });
        let refused = sent.refused.iter();
        let refused =
            refused.map(|refused| RefusedView { agent_id: refused.agent.uuid(), code: refused.code });
        Self {
            message: AgentMessageView::new(sent.message.clone(), &Answers::new()),
            receivers: receivers.collect(),
            refused: refused.collect(),
        }
    }
}

/// A message in an inbox.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageDelivery)]
pub struct DeliveryView {
    /// The message.
    #[serde(flatten)]
    message: AgentMessageView,
    /// The receiver.
    agent_id: Uuid,
    /// Its place in the inbox, from 1 without gaps.
    place: i64,
    /// How far it has come.
    #[schema(schema_with = names::delivery_state)]
    state: DeliveryState,
    /// The task that it is bound to, or that read it.
    task_id: Option<Uuid>,
    /// The journal entry that holds it.
    step: Option<i32>,
    /// Times that it was bound to a task or taken.
    tries: i32,
    /// Pending: not before; taken: to be acknowledged until then.
    visible_at: DateTime<Utc>,
    /// Why the last try failed.
    last_error: Option<String>,
    /// Who said that it arrived: `task`, or who acknowledged it.
    acknowledged_by: Option<String>,
    /// When.
    acknowledged_at: Option<DateTime<Utc>>,
    /// When its tries were used up.
    died_at: Option<DateTime<Utc>>,
}

impl DeliveryView {
    /// Its place in the inbox.
    pub const fn place(&self) -> i64 {
        self.place
    }

    /// A message in an inbox; see [`AgentMessageView::new`] for `answers`.
    pub fn new(delivery: Delivery, answers: &Answers) -> Self {
        let (acknowledged_by, acknowledged_at) = delivery.acknowledged.unzip();
        Self {
            message: AgentMessageView::new(delivery.message, answers),
            agent_id: delivery.agent.uuid(),
            place: delivery.place,
            state: delivery.state,
            task_id: delivery.task.map(TaskId::uuid),
            step: delivery.step,
            tries: delivery.tries,
            visible_at: delivery.visible_at,
            last_error: delivery.last_error,
            acknowledged_by,
            acknowledged_at,
            died_at: delivery.died_at,
        }
    }
}

/// How an inbox is read, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Inbox)]
pub struct InboxView {
    /// Whose.
    agent_id: Uuid,
    /// True when somebody outside receives: no task is made or woken for what arrives.
    pulled: bool,
    /// Seconds that a receiver has to acknowledge what it took.
    visibility_seconds: i32,
    /// Tries before a message is a dead letter.
    max_tries: i32,
    /// The place of the last message.
    last_place: i64,
    /// Messages that are on their way.
    unacknowledged: i64,
    /// Dead letters.
    dead: i64,
    /// Tries in a row that failed; many messages that one run, or one pull, leaves unread are one try.
    failures: i32,
    /// Until when nobody may write to it; null unless its breaker is open.
    open_until: Option<DateTime<Utc>>,
}

impl From<Inbox> for InboxView {
    fn from(inbox: Inbox) -> Self {
        Self {
            agent_id: inbox.agent.uuid(),
            pulled: inbox.pulled,
            visibility_seconds: inbox.visibility_seconds,
            max_tries: inbox.max_tries,
            last_place: inbox.last_place,
            unacknowledged: inbox.open,
            dead: inbox.dead,
            failures: inbox.failures,
            open_until: inbox.open_until,
        }
    }
}
