//! Accepting a message: the message, its number in its conversation, a delivery for each receiver, and the tasks that
//! read it, in one transaction.

use std::time::Duration;

use hive_domain::{
    Audience, DeliveryState, MessageKind, ProjectId, conversation::LONGEST_ASK, journal::MAIL_FORMAT,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    NewAgentMessage, Receiver, Receivers, Row, Sender, Sent, StoredMessage,
    bind::{self, Bound},
    receivers::{self, Chosen},
};
use crate::{
    error::{Error, Result},
    meter,
    once::Once,
    pool::Store,
};

impl Store {
    /// Accepts a message of a run, or of whoever sends it once. Sent again with the same key of a run, it is the same
    /// message, and nothing more is done.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the run has lost its lease; [`Error::Invalid`] names the field that refers to something
    /// that is missing or cannot be used; [`Error::ReceiverFailing`]; [`Error::Conflict`] `receiver_inactive`,
    /// `inbox_full`, `no_receivers`, `too_many_receivers`, `receivers_failing`, `too_many_hops`.
    pub async fn send_agent_message(&self, new: &NewAgentMessage) -> Result<Sent> {
        let mut once = self.alone().await?;
        let sent = once.send_agent_message(new).await?;
        once.commit().await?;
        Ok(sent)
    }
}

impl Once {
    /// As [`Store::send_agent_message`].
    ///
    /// # Errors
    /// See there.
    pub async fn send_agent_message(&mut self, new: &NewAgentMessage) -> Result<Sent> {
        let sent = send(self.connection()?, new).await;
        if sent.is_err() {
            self.give_up().await;
        }
        sent
    }
}

/// What is known of a sender.
struct Author {
    project: ProjectId,
    agent: Option<Uuid>,
    name: String,
    task: Option<Uuid>,
    session: Option<Uuid>,
    hops: i16,
}

/// The message that is replied to.
struct Original {
    thread: Uuid,
    from_agent: Option<Uuid>,
    from_task: Option<Uuid>,
    is_open_question: bool,
    /// Whether its sender may still read the reply where it was written.
    task_is_open: bool,
}

async fn send(connection: &mut PgConnection, new: &NewAgentMessage) -> Result<Sent> {
    let key = match &new.from {
        Sender::Run { key, .. } => Some(key.as_str()),
        Sender::Person(_) | Sender::InNameOf(_) => None,
    };
    if let Some(key) = key
        && let Some(sent) = sent_before(connection, key).await?
    {
        return Ok(sent);
    }
    let author = author(connection, &new.from).await?;
    let original = match new.reply_to {
        Some(id) => Some(original(connection, id.uuid(), &author).await?),
        None => None,
    };
    let writer = original.as_ref().and_then(|original| original.from_agent);
    let chosen = receivers::choose(connection, author.project, &new.to, writer, author.agent).await?;
    let thread = thread(connection, new, &author, original.as_ref()).await?;
    let (places, refused) = receivers::admit(connection, &chosen).await?;
    let message = insert(connection, new, &author, original.as_ref(), &chosen, thread, key).await?;
    let wants = original.filter(|original| original.task_is_open).and_then(|original| {
        // It goes to the task that wrote, when whoever wrote is the receiver.
        (original.from_agent == chosen.direct).then_some(original.from_task).flatten()
    });
    deliver(connection, message.id.uuid(), &places, wants).await?;
    let agents: Vec<Uuid> = places.iter().map(|(agent, _)| *agent).collect();
    let sender = match &new.from {
        Sender::Run { task, epoch, .. } => Some((task.uuid(), *epoch)),
        _ => None,
    };
    let bound = bind::bind(connection, &agents, sender).await?;
    if message.kind == MessageKind::Question
        && let Some((task, _)) = sender
    {
        // Builds that know no questions leave the journal alone from here on.
        sqlx::query!(
            "UPDATE tasks SET journal_format = greatest(journal_format, $2) WHERE id = $1",
            task,
            MAIL_FORMAT
        )
        .execute(&mut *connection)
        .await?;
    }
    if chosen.direct.is_some() && bound.held_back_by_hops.contains(&message.id) {
        let message = "too many tasks in a row were made for messages; only an agent that is at work can be written to \
                       from here"
            .to_owned();
        return Err(Error::Conflict { code: "too_many_hops", message });
    }
    let receivers = receivers_of(connection, message.id.uuid()).await?;
    meter::sent(message.audience, receivers.len());
    Ok(Sent { message, receivers, refused, bound })
}

async fn author(connection: &mut PgConnection, from: &Sender) -> Result<Author> {
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

async fn original(connection: &mut PgConnection, id: Uuid, author: &Author) -> Result<Original> {
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
async fn thread(
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

async fn insert(
    connection: &mut PgConnection,
    new: &NewAgentMessage,
    author: &Author,
    original: Option<&Original>,
    chosen: &Chosen,
    (thread, number): (Uuid, i64),
    key: Option<&str>,
) -> Result<StoredMessage> {
    let audience = match (&new.to, chosen.direct) {
        (_, Some(_)) => Audience::Direct,
        (Receivers::All, None) => Audience::Broadcast,
        (_, None) => Audience::Group,
    };
    let kind = match (new.answer_within, original) {
        (Some(_), _) => MessageKind::Question,
        (None, Some(original)) if original.is_open_question && original.from_agent != author.agent => {
            MessageKind::Answer
        }
        (None, _) => MessageKind::Message,
    };
    // An answer that nobody waits for any more is no reason to begin something.
    let late = kind == MessageKind::Answer && original.is_some_and(|original| !original.task_is_open);
    let wakes = !late && new.wakes.unwrap_or(audience != Audience::Broadcast);
    let within =
        new.answer_within.map(|within| within.min(Duration::from_secs(LONGEST_ASK as u64)).as_secs_f64());
    let row = sqlx::query_as!(
        Row,
        r#"INSERT INTO conversations (id, project_id, thread_id, number, session_id, from_agent_id, from_task_id, from_name,
                                      to_agent_id, audience, message_type, content, context_refs, trust, reply_to,
                                      answer_by, wakes, priority, hops, send_key)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::message_audience, $11::text::message_kind, $12, $13, $14,
                   $15, now() + make_interval(secs => $16), $17, $18, $19, $20)
           RETURNING id, thread_id, number, from_agent_id, from_task_id, from_name, to_agent_id,
                     audience::text AS "audience!", message_type::text AS "message_type!", content, context_refs, trust,
                     reply_to, answer_by, session_id, wakes, created_at"#,
        new.id.uuid(),
        author.project.uuid(),
        thread,
        number,
        new.session.map(hive_domain::SessionId::uuid).or(author.session),
        author.agent,
        author.task,
        author.name,
        chosen.direct,
        audience.as_str(),
        kind.as_str(),
        new.content,
        &new.context_refs,
        if author.agent.is_some() { "agent" } else { "user" },
        new.reply_to.map(hive_domain::MessageId::uuid),
        within,
        wakes,
        new.priority.get(),
        author.hops,
        key,
    );
    match row.fetch_one(connection).await {
        Ok(row) => row.try_into(),
        Err(error) => Err(match Error::constraint(&error) {
            Some("conversations_session_id_fkey") => {
                Error::Invalid { field: "/session_id", message: "names no session".to_owned() }
            }
            // Another process of the same run was quicker; made again, it finds that message.
            Some("conversations_sent_once") => Error::passing(),
            _ => error.into(),
        }),
    }
}

async fn deliver(
    connection: &mut PgConnection,
    message: Uuid,
    places: &[(Uuid, i64)],
    wants: Option<Uuid>,
) -> Result<()> {
    let (agents, places): (Vec<Uuid>, Vec<i64>) = places.iter().copied().unzip();
    sqlx::query!(
        "INSERT INTO message_deliveries (agent_id, place, message_id, wants_task)
         SELECT g.agent_id, g.place, $1, $4 FROM unnest($2::uuid[], $3::bigint[]) AS g (agent_id, place)",
        message,
        &agents,
        &places,
        wants,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn receivers_of(connection: &mut PgConnection, message: Uuid) -> Result<Vec<Receiver>> {
    let rows = sqlx::query!(
        r#"SELECT agent_id, place, state::text AS "state!", task_id FROM message_deliveries
           WHERE message_id = $1 ORDER BY agent_id"#,
        message,
    );
    let receiver = |row: (Uuid, i64, String, Option<Uuid>)| {
        let (agent, place, state, task) = row;
        let state: DeliveryState =
            state.parse().map_err(|e| Error::inconsistent("message_deliveries", "state", message, e))?;
        Ok(Receiver { agent: agent.into(), place, state, task: task.map(Into::into) })
    };
    let rows = rows.fetch_all(connection).await?.into_iter();
    rows.map(|row| receiver((row.agent_id, row.place, row.state, row.task_id))).collect()
}

/// The message that a call of a run sent before.
async fn sent_before(connection: &mut PgConnection, key: &str) -> Result<Option<Sent>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, thread_id, number, from_agent_id, from_task_id, from_name, to_agent_id,
                  audience::text AS "audience!", message_type::text AS "message_type!", content, context_refs, trust,
                  reply_to, answer_by, session_id, wakes, created_at
           FROM conversations WHERE send_key = $1"#,
        key,
    );
    let Some(row) = row.fetch_optional(&mut *connection).await? else { return Ok(None) };
    let message: StoredMessage = row.try_into()?;
    let receivers = receivers_of(connection, message.id.uuid()).await?;
    Ok(Some(Sent { message, receivers, refused: Vec::new(), bound: Bound::default() }))
}
