//! Where a message comes from: its author, what it replies to, the conversation that it goes on.

use hive_domain::ProjectId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{NewAgentMessage, Sender};
use crate::error::{Error, Result};

/// What is known of a sender.
pub(super) struct Author {
    pub project: ProjectId,
    pub agent: Option<Uuid>,
    pub name: String,
    pub task: Option<Uuid>,
    pub session: Option<Uuid>,
    pub hops: i16,
}

/// The message that is replied to.
pub(super) struct Original {
    pub thread: Uuid,
    pub from_agent: Option<Uuid>,
    pub from_task: Option<Uuid>,
    pub is_open_question: bool,
    /// Whether its sender may still read the reply where it was written.
    pub task_is_open: bool,
}

pub(super) async fn author(connection: &mut PgConnection, from: &Sender) -> Result<Author> {
    match from {
        Sender::Person(name) => Ok(Author {
            project: ProjectId::DEFAULT,
            agent: None,
            name: name.clone(),
            task: None,
            session: None,
            hops: 0,
        }),
        Sender::InNameOf(agent) => {
            let row = sqlx::query!("SELECT project_id, name FROM agents WHERE id = $1", agent.uuid());
            let row = row.fetch_optional(connection).await?.ok_or_else(|| Error::Invalid {
                field: "/from_agent_id",
                message: format!("agent {agent} does not exist"),
            })?;
            Ok(Author {
                project: row.project_id.into(),
                agent: Some(agent.uuid()),
                name: row.name,
                task: None,
                session: None,
                hops: 0,
            })
        }
        Sender::Run { task, epoch, .. } => {
            // Held to it again when the tasks are locked.
            let row = sqlx::query!(
                r#"SELECT t.project_id, a.id, a.name, t.session_id,
                          coalesce((SELECT m.hops + 1 FROM conversations m WHERE m.id = t.message_id), 0)::smallint
                              AS "hops!"
                   FROM tasks t JOIN agents a ON a.id = t.assigned_agent_id
                   WHERE t.id = $1 AND t.epoch = $2 AND t.status = 'running'"#,
                task.uuid(),
                epoch,
            );
            let row = row.fetch_optional(connection).await?;
            let row = row.ok_or(Error::Fenced { task: *task, epoch: *epoch })?;
            Ok(Author {
                project: row.project_id.into(),
                agent: Some(row.id),
                name: row.name,
                task: Some(task.uuid()),
                session: row.session_id,
                hops: row.hops,
            })
        }
    }
}

pub(super) async fn original(connection: &mut PgConnection, id: Uuid, author: &Author) -> Result<Original> {
    let row = sqlx::query!(
        r#"SELECT m.thread_id, m.from_agent_id, m.from_task_id,
                  m.message_type = 'question' AND NOT EXISTS (
                      SELECT 1 FROM conversations r WHERE r.reply_to = m.id AND r.from_agent_id IS NOT DISTINCT FROM $3)
                      AS "is_open_question!",
                  coalesce(t.status NOT IN ('succeeded', 'failed', 'cancelled', 'dead'), false) AS "task_is_open!"
           FROM conversations m LEFT JOIN tasks t ON t.id = m.from_task_id
           -- Agents reply to what they were sent or wrote themselves.
           WHERE m.id = $1 AND m.project_id = $2
             AND ($3::uuid IS NULL OR m.from_agent_id = $3
                  OR EXISTS (SELECT 1 FROM message_deliveries d WHERE d.message_id = m.id AND d.agent_id = $3))"#,
        id,
        author.project.uuid(),
        author.agent,
    );
    let row = row.fetch_optional(connection).await?.ok_or_else(|| Error::Invalid {
        field: "/reply_to",
        message: format!("message {id} does not exist, or was not sent to this sender"),
    })?;
    Ok(Original {
        thread: row.thread_id,
        from_agent: row.from_agent_id,
        from_task: row.from_task_id,
        is_open_question: row.is_open_question,
        task_is_open: row.task_is_open,
    })
}

/// The conversation and the next number in it. Who holds its row is the only one who writes to it.
pub(super) async fn thread(
    connection: &mut PgConnection,
    new: &NewAgentMessage,
    author: &Author,
    original: Option<&Original>,
) -> Result<(Uuid, i64)> {
    let named = new.conversation.map(hive_domain::ConversationId::uuid);
    let thread = match (original.map(|original| original.thread), named) {
        (Some(thread), Some(named)) if thread != named => {
            let message = "is not the conversation of the message that it replies to".to_owned();
            return Err(Error::Invalid { field: "/conversation_id", message });
        }
        (Some(thread), _) | (None, Some(thread)) => thread,
        (None, None) => {
            let id = Uuid::now_v7();
            sqlx::query!(
                "INSERT INTO threads (id, project_id, last_number) VALUES ($1, $2, 1)",
                id,
                author.project.uuid()
            )
            .execute(connection)
            .await?;
            return Ok((id, 1));
        }
    };
    let number = sqlx::query_scalar!(
        "UPDATE threads SET last_number = last_number + 1
         WHERE id = $1 AND project_id = $2
           AND ($3::uuid IS NULL OR EXISTS (
                SELECT 1 FROM conversations m
                WHERE m.thread_id = $1 AND (m.from_agent_id = $3 OR EXISTS (
                    SELECT 1 FROM message_deliveries d WHERE d.message_id = m.id AND d.agent_id = $3))))
         RETURNING last_number",
        thread,
        author.project.uuid(),
        author.agent,
    );
    let number = number.fetch_optional(connection).await?.ok_or_else(|| Error::Invalid {
        field: "/conversation_id",
        message: format!("conversation {thread} does not exist, or the sender has no part in it"),
    })?;
    Ok((thread, number))
}
