//! Accepting a message: the message, its number in its conversation, a delivery for each receiver, and the tasks that
//! read it, in one transaction.

use std::time::Duration;

use hive_domain::{Audience, DeliveryState, MessageKind, conversation::LONGEST_ASK, journal::MAIL_FORMAT};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    NewAgentMessage, Receiver, Receivers, Row, Sender, Sent, StoredMessage,
    bind::{self, Bound},
    meaning,
    origin::{self, Author, Original},
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
    let author = origin::author(connection, &new.from).await?;
    let original = match new.reply_to {
        Some(id) => Some(origin::original(connection, id.uuid(), &author).await?),
        None => None,
    };
    let writer = original.as_ref().and_then(|original| original.from_agent);
    let chosen = receivers::choose(connection, author.project, &new.to, writer, author.agent).await?;
    let thread = origin::thread(connection, new, &author, original.as_ref()).await?;
    let (places, refused) = receivers::admit(connection, &chosen).await?;
    let message = insert(connection, new, &author, original.as_ref(), &chosen, thread, key).await?;
    let wants = original.filter(|original| original.task_is_open).and_then(|original| {
        // It goes to the task that wrote, when whoever wrote is the receiver.
        (original.from_agent == chosen.direct).then_some(original.from_task).flatten()
    });
    deliver(connection, message.id.uuid(), &places, wants).await?;
    meaning::want(connection, message.id.uuid()).await?;
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
        (Receivers::Author, None) | (_, Some(_)) => Audience::Direct,
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
