//! Searching what was written by its words, as far as whoever asks may read it; see `meaning` for the other way.

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, ConversationId, ProjectId};

use super::{Row, StoredMessage};
use crate::{error::Result, pool::Store};

/// What is searched for. All must fit.
#[derive(Clone, Debug)]
pub struct Search {
    /// Words; those in quotes in this order, those after a minus not at all.
    pub query: String,
    /// In this project.
    pub project: ProjectId,
    /// Only what this agent wrote or was sent; none for a person, who may read all of the project.
    pub reader: Option<AgentId>,
    /// Only of this conversation.
    pub conversation: Option<ConversationId>,
    /// Only of this sender.
    pub from: Option<AgentId>,
    /// Only what was sent at or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Hits at most, best first.
    pub limit: i64,
}

/// A hit.
#[derive(Clone, Debug)]
pub struct Found {
    /// The message.
    pub message: StoredMessage,
    /// How well its words fit, from 0 below 1.
    pub text: f32,
}

impl Store {
    /// Finds messages by their words.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn search_messages(&self, search: &Search) -> Result<Vec<Found>> {
        let rows = sqlx::query!(
            r#"SELECT m.id, m.thread_id, m.number, m.from_agent_id, m.from_task_id, m.from_name, m.to_agent_id,
                      m.audience::text AS "audience!", m.message_type::text AS "message_type!", m.content, m.context_refs,
                      m.trust, m.reply_to, m.answer_by, m.session_id, m.wakes, m.created_at,
                      ts_rank_cd(m.words, q.words, 32) AS "text!"
               FROM conversations m CROSS JOIN websearch_to_tsquery('english', $1) AS q (words)
               WHERE m.words @@ q.words AND m.project_id = $2
                 AND ($3::uuid IS NULL OR m.from_agent_id = $3
                      OR EXISTS (SELECT 1 FROM message_deliveries d WHERE d.message_id = m.id AND d.agent_id = $3))
                 AND ($4::uuid IS NULL OR m.thread_id = $4) AND ($5::uuid IS NULL OR m.from_agent_id = $5)
                 AND ($6::timestamptz IS NULL OR m.created_at >= $6)
               ORDER BY ts_rank_cd(m.words, q.words, 32) DESC, m.id DESC LIMIT $7"#,
            search.query,
            search.project.uuid(),
            search.reader.map(AgentId::uuid),
            search.conversation.map(ConversationId::uuid),
            search.from.map(AgentId::uuid),
            search.since,
            search.limit,
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter();
        rows.map(|row| {
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
            Ok(Found { message: message.try_into()?, text: row.text })
        })
        .collect()
    }
}
