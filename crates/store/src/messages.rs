//! What people tell agents at work. A message is accepted in one transaction and put into the journal in another, each
//! exactly once; between the two any number of workers may die.

mod read;

use chrono::{DateTime, Utc};
use hive_domain::{MessagePolicy, TaskId, event::EventKind};
pub use read::{Reading, Undo};
use serde_json::json;

use crate::{
    error::{Error, Result},
    once::Once,
    pool::Store,
};

/// Messages of one task that may wait to be read.
const MOST_UNREAD: i32 = 100;

/// A message to be accepted.
#[derive(Clone, Copy, Debug)]
pub struct NewMessage<'a> {
    /// What the agent is to read.
    pub text: &'a str,
    /// What it does to a run at work.
    pub policy: MessagePolicy,
    /// Who writes.
    pub author: &'a str,
}

/// A message that was accepted.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its number in the task, from 1 without gaps.
    pub number: i32,
    /// What the agent is to read.
    pub text: String,
    /// What it does to a run at work.
    pub policy: MessagePolicy,
    /// Who wrote.
    pub author: String,
    /// When it was accepted.
    pub at: DateTime<Utc>,
    /// The journal entry that holds it, and when that was committed.
    pub read: Option<(i32, DateTime<Utc>)>,
    /// True when the task ended before it was read.
    pub missed: bool,
}

struct Row {
    number: i32,
    text: String,
    policy: String,
    author: String,
    created_at: DateTime<Utc>,
    step: Option<i32>,
    read_at: Option<DateTime<Utc>>,
    missed: bool,
}

impl Store {
    /// As [`Once::send_message`], in a transaction of its own.
    ///
    /// # Errors
    /// See there.
    pub async fn send_message(&self, id: TaskId, new: &NewMessage<'_>) -> Result<(Message, bool)> {
        let mut once = self.alone().await?;
        let sent = once.send_message(id, new).await?;
        once.commit().await?;
        Ok(sent)
    }

    async fn not_sent(&self, id: TaskId) -> Result<Error> {
        let task = self.task(id).await?;
        let (code, message) = if task.status.is_end() {
            ("task_ended", format!("the task has already ended: {}", task.status))
        } else if task.duty.is_some() {
            ("no_agent_reads", "the task is a built-in duty; no agent reads messages".to_owned())
        } else if task.status == hive_domain::TaskStatus::Running {
            ("task_running", "the task runs, and the policy is to reject".to_owned())
        } else {
            ("too_many_messages", format!("{MOST_UNREAD} messages wait to be read"))
        };
        Ok(Error::Conflict { code, message })
    }

    /// Messages of `task` after number `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn messages(&self, task: TaskId, after: i32, limit: i64) -> Result<Vec<Message>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT m.number, m.text, m.policy::text AS "policy!", m.author, m.created_at, m.step, m.read_at,
                      (m.step IS NULL AND t.status IN ('succeeded', 'failed', 'cancelled', 'dead')) AS "missed!"
               FROM task_messages m JOIN tasks t ON t.id = m.task_id
               WHERE m.task_id = $1 AND m.number > $2 ORDER BY m.number LIMIT $3"#,
            task.uuid(),
            after,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let message = |row: Row| {
            let policy = row.policy.parse().map_err(|e| {
                Error::inconsistent("task_messages", "policy", format!("{task}/{}", row.number), e)
            })?;
            let Row { number, text, author, created_at: at, step, read_at, missed, .. } = row;
            Ok(Message { number, text, policy, author, at, read: step.zip(read_at), missed })
        };
        rows.into_iter().map(message).collect()
    }
}

impl Once {
    /// Accepts a message. `true`: it woke the task from a wait of its agent, and the task wants a ticket.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `task_ended`, `task_running` for the policy `reject`,
    /// `no_agent_reads` for a built-in duty, `too_many_messages`.
    pub async fn send_message(&mut self, id: TaskId, new: &NewMessage<'_>) -> Result<(Message, bool)> {
        let connection = self.connection()?;
        let sent = sqlx::query!(
            r#"WITH before AS (
                   SELECT id, status = 'waiting' AND status_reason IN ('timer', 'answer') AS sleeps FROM tasks
                   WHERE id = $1 FOR NO KEY UPDATE
               ), task AS (
                   UPDATE tasks
                   SET messages_sent = messages_sent + 1,
                       -- One with a concurrency key passes the gate of its key again.
                       status = CASE WHEN NOT sleeps THEN status
                                     WHEN concurrency_key IS NULL THEN 'ready' ELSE 'pending' END,
                       status_reason = CASE WHEN NOT sleeps THEN status_reason
                                            WHEN concurrency_key IS NOT NULL THEN 'concurrency'::status_reason END,
                       status_detail = CASE WHEN NOT sleeps THEN status_detail END,
                       run_at = CASE WHEN sleeps THEN now() ELSE run_at END,
                       announced_at = CASE WHEN sleeps AND concurrency_key IS NULL THEN now() ELSE announced_at END,
                       event_seq = event_seq + 1, updated_at = now()
                   FROM before
                   WHERE tasks.id = before.id AND status NOT IN ('succeeded', 'failed', 'cancelled', 'dead')
                     AND duty IS NULL AND (status <> 'running' OR $3::text <> 'reject')
                     AND messages_sent - messages_read < $5
                   RETURNING tasks.id, messages_sent, event_seq, sleeps
               ), event AS (
                   INSERT INTO events (task_id, seq, kind, data)
                   SELECT id, event_seq, $6, $7 || jsonb_build_object('message', messages_sent, 'woke', sleeps) FROM task
               ), message AS (
                   INSERT INTO task_messages (task_id, number, text, policy, author)
                   SELECT id, messages_sent, $2, $3::text::message_policy, $4 FROM task
                   RETURNING number, created_at
               )
               SELECT number AS "number!", created_at AS "at!", sleeps AS "sleeps!" FROM message, task"#,
            id.uuid(),
            new.text,
            new.policy.as_str(),
            new.author,
            MOST_UNREAD,
            EventKind::MessageAccepted.as_str(),
            json!({ "author": new.author, "policy": new.policy }),
        )
        .fetch_optional(connection)
        .await?;
        let Some(sent) = sent else {
            return Err(self.give_up().await.not_sent(id).await?);
        };
        let message = Message {
            number: sent.number,
            text: new.text.to_owned(),
            policy: new.policy,
            author: new.author.to_owned(),
            at: sent.at,
            read: None,
            missed: false,
        };
        Ok((message, sent.sleeps))
    }
}
