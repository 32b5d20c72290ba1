//! Reading an inbox: what waits, or everything in its order.

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, ConversationId, DeliveryState, MessageId, TaskId};

use super::{Row, StoredMessage};
use crate::{
    error::{Error, Result},
    pool::Store,
};

/// A message in an inbox.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message.
    pub message: StoredMessage,
    /// The receiver.
    pub agent: AgentId,
    /// Its place in the inbox, from 1 without gaps: what a reader goes on from.
    pub place: i64,
    /// How far it has come.
    pub state: DeliveryState,
    /// The task that it is bound to, or that read it.
    pub task: Option<TaskId>,
    /// The journal entry that holds it.
    pub step: Option<i32>,
    /// Times that it was bound or taken.
    pub tries: i32,
    /// Pending: not before; taken: until then.
    pub visible_at: DateTime<Utc>,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// Who has it, and since when: a task, or a receiver.
    pub acknowledged: Option<(String, DateTime<Utc>)>,
    /// When its tries were used up.
    pub died_at: Option<DateTime<Utc>>,
}

/// Which part of an inbox is read. All must fit.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only what nobody has acknowledged, and is not dead.
    pub unacknowledged: bool,
    /// Only of this conversation.
    pub conversation: Option<ConversationId>,
    /// Only what was sent at or after this time.
    pub since: Option<DateTime<Utc>>,
}

pub(super) struct DeliveryRow {
    pub id: uuid::Uuid,
    pub thread_id: uuid::Uuid,
    pub number: i64,
    pub from_agent_id: Option<uuid::Uuid>,
    pub from_task_id: Option<uuid::Uuid>,
    pub from_name: String,
    pub to_agent_id: Option<uuid::Uuid>,
    pub audience: String,
    pub message_type: String,
    pub content: String,
    pub context_refs: Vec<uuid::Uuid>,
    pub trust: String,
    pub reply_to: Option<uuid::Uuid>,
    pub answer_by: Option<DateTime<Utc>>,
    pub session_id: Option<uuid::Uuid>,
    pub wakes: bool,
    pub created_at: DateTime<Utc>,
    pub agent_id: uuid::Uuid,
    pub place: i64,
    pub state: String,
    pub task_id: Option<uuid::Uuid>,
    pub step: Option<i32>,
    pub tries: i32,
    pub visible_at: DateTime<Utc>,
    pub last_error: Option<String>,
    pub acknowledged_by: Option<String>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub died_at: Option<DateTime<Utc>>,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = Error;

    fn try_from(row: DeliveryRow) -> Result<Self> {
        let state =
            row.state.parse().map_err(|e| Error::inconsistent("message_deliveries", "state", row.id, e))?;
        let message = Row {
            id: row.id,
            thread_id: row.thread_id,
            number: row.number,
            from_agent_id: row.from_agent_id,
            from_task_id: row.from_task_id,
            from_name: row.from_name,
            to_agent_id: row.to_agent_id,
            audience: row.audience,
            message_type: row.message_type,
            content: row.content,
            context_refs: row.context_refs,
            trust: row.trust,
            reply_to: row.reply_to,
            answer_by: row.answer_by,
            session_id: row.session_id,
            wakes: row.wakes,
            created_at: row.created_at,
        };
        Ok(Self {
            message: StoredMessage::try_from(message)?,
            agent: row.agent_id.into(),
            place: row.place,
            state,
            task: row.task_id.map(Into::into),
            step: row.step,
            tries: row.tries,
            visible_at: row.visible_at,
            last_error: row.last_error,
            acknowledged: row.acknowledged_by.zip(row.acknowledged_at),
            died_at: row.died_at,
        })
    }
}

/// `deliveries!(executor, tail, arguments…)`: reads [`Delivery`]s; `d` is the delivery, `m` the message.
macro_rules! deliveries {
    ($executor:expr, $tail:literal $(, $argument:expr)* $(,)?) => {{
        let rows = sqlx::query_as!(
            $crate::conversations::list::DeliveryRow,
            r#"SELECT m.id, m.thread_id, m.number, m.from_agent_id, m.from_task_id, m.from_name, m.to_agent_id,
                      m.audience::text AS "audience!", m.message_type::text AS "message_type!", m.content, m.context_refs,
                      m.trust, m.reply_to, m.answer_by, m.session_id, m.wakes, m.created_at, d.agent_id, d.place,
                      d.state::text AS "state!", d.task_id, d.step, d.tries, d.visible_at, d.last_error,
                      d.acknowledged_by, d.acknowledged_at, d.died_at
               FROM message_deliveries d JOIN conversations m ON m.id = d.message_id "# + $tail
            $(, $argument)*
        );
        let rows = rows.fetch_all($executor).await?.into_iter();
        rows.map($crate::conversations::list::Delivery::try_from)
            .collect::<$crate::error::Result<Vec<$crate::conversations::list::Delivery>>>()
    }};
}
pub(super) use deliveries;

impl Store {
    /// What an agent was sent after this place of its inbox, in order, at most `limit`. What is read stays: the same
    /// place gives the same messages in the same order as long as they are kept.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown agent.
    pub async fn inbox_after(
        &self,
        agent: AgentId,
        place: i64,
        filter: &DeliveryFilter,
        limit: i64,
    ) -> Result<Vec<Delivery>> {
        let found = deliveries!(
            &self.pool,
            "WHERE d.agent_id = $1 AND d.place > $2 AND (NOT $3 OR d.state IN ('pending', 'bound', 'taken'))
               AND ($4::uuid IS NULL OR m.thread_id = $4) AND ($5::timestamptz IS NULL OR m.created_at >= $5)
             ORDER BY d.place LIMIT $6",
            agent.uuid(),
            place,
            filter.unacknowledged,
            filter.conversation.map(ConversationId::uuid),
            filter.since,
            limit,
        )?;
        if found.is_empty() {
            self.demand_agent(agent).await?;
        }
        Ok(found)
    }

    /// What was said in a conversation after this number, in order, at most `limit`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn conversation(
        &self,
        id: ConversationId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StoredMessage>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT id, thread_id, number, from_agent_id, from_task_id, from_name, to_agent_id,
                      audience::text AS "audience!", message_type::text AS "message_type!", content, context_refs, trust,
                      reply_to, answer_by, session_id, wakes, created_at
               FROM conversations WHERE thread_id = $1 AND number > $2 ORDER BY number LIMIT $3"#,
            id.uuid(),
            after,
            limit,
        );
        let rows = rows.fetch_all(&self.pool).await?;
        let there = rows.is_empty().then_some(sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM threads WHERE id = $1) AS "there!""#,
            id.uuid()
        ));
        if let Some(there) = there
            && !there.fetch_one(&self.pool).await?
        {
            return Err(Error::NotFound { what: "conversation", id: id.to_string() });
        }
        rows.into_iter().map(StoredMessage::try_from).collect()
    }

    /// The questions of a task whose time has passed and that nobody answered: whom it asked, and the question.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn unanswered(&self, task: TaskId) -> Result<Vec<(String, MessageId)>> {
        let rows = sqlx::query!(
            "SELECT a.name, m.id FROM conversations m JOIN agents a ON a.id = m.to_agent_id
             WHERE m.from_task_id = $1 AND m.message_type = 'question' AND m.answer_by <= now()
               AND NOT EXISTS (SELECT 1 FROM conversations r
                               WHERE r.reply_to = m.id AND r.from_agent_id = m.to_agent_id)
             ORDER BY m.answer_by DESC LIMIT 10",
            task.uuid(),
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter();
        Ok(rows.map(|row| (row.name, row.id.into())).collect())
    }
}
