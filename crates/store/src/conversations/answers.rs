//! Whether questions were answered.

use std::collections::HashMap;

use hive_domain::{MessageId, MessageKind};
use uuid::Uuid;

use super::StoredMessage;
use crate::{error::Result, pool::Store};

/// How a question stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The first reply of whom it was put to, also one that came late: its id, and its number in the conversation.
    pub answer: Option<(MessageId, i64)>,
    /// The time that an answer was waited for is over.
    pub is_overdue: bool,
}

/// How questions stand, by their ids.
pub type Answers = HashMap<MessageId, Asked>;

impl Store {
    /// How those of these messages that are questions stand now.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn answers<'a>(&self, messages: impl Iterator<Item = &'a StoredMessage>) -> Result<Answers> {
        let questions: Vec<Uuid> = messages
            .filter(|message| message.kind == MessageKind::Question)
            .map(|message| message.id.uuid())
            .collect();
        if questions.is_empty() {
            return Ok(Answers::new());
        }
        let rows = sqlx::query!(
            r#"SELECT m.id, coalesce(m.answer_by <= now(), false) AS "is_overdue!", r.id AS "answer?",
                      r.number AS "number?"
               FROM conversations m
               LEFT JOIN LATERAL (SELECT id, number FROM conversations
                                  WHERE reply_to = m.id AND from_agent_id = m.to_agent_id
                                  ORDER BY number LIMIT 1) AS r ON true
               WHERE m.id = ANY ($1)"#,
            &questions,
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter();
        Ok(rows
            .map(|row| {
                let answer = row.answer.map(MessageId::from).zip(row.number);
                (row.id.into(), Asked { answer, is_overdue: row.is_overdue })
            })
            .collect())
    }
}
