//! An agent's inbox: how it is read, whether it takes messages, and what of it Redis lists.

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, MessageId};

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// Messages of one inbox that Redis lists.
const LISTED: i64 = 1_000;
/// Inboxes that Redis lists.
const MAILBOXES: i64 = 2_000;

/// How an inbox is read, and how it stands.
#[derive(Clone, Debug)]
pub struct Inbox {
    /// Whose.
    pub agent: AgentId,
    /// True when somebody outside receives: no task is made or woken for what arrives.
    pub pulled: bool,
    /// How long a receiver has to acknowledge what it took, in seconds.
    pub visibility_seconds: i32,
    /// Tries before a message is dead.
    pub max_tries: i32,
    /// Place of the last message.
    pub last_place: i64,
    /// Messages on their way.
    pub open: i64,
    /// Dead letters.
    pub dead: i64,
    /// Tries in a row that failed; many messages that one run, or one pull, leaves unread are one try.
    pub failures: i32,
    /// Until when nobody may write to it, when its breaker is open.
    pub open_until: Option<DateTime<Utc>>,
}

/// What is to change. What is none stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct InboxChange {
    /// See [`Inbox::pulled`].
    pub pulled: Option<bool>,
    /// 1 to 43,200.
    pub visibility_seconds: Option<i32>,
    /// 1 to 100.
    pub max_tries: Option<i32>,
}

/// What waits for an agent, as Redis lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Whose.
    pub agent: AgentId,
    /// Oldest first; of very many the oldest.
    pub messages: Vec<MessageId>,
}

impl Store {
    /// How an inbox stands.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown agent.
    pub async fn inbox(&self, agent: AgentId) -> Result<Inbox> {
        let row = sqlx::query!(
            r#"SELECT coalesce(i.pulled, false) AS "pulled!", coalesce(i.visibility_seconds, 30) AS "visibility!",
                      coalesce(i.max_tries, 5) AS "max_tries!", coalesce(i.last_place, 0) AS "last_place!",
                      coalesce(i.failures, 0) AS "failures!",
                      CASE WHEN i.open_until > now() THEN i.open_until END AS open_until,
                      (SELECT count(*) FROM message_deliveries d
                       WHERE d.agent_id = a.id AND d.state IN ('pending', 'bound', 'taken')) AS "open!",
                      (SELECT count(*) FROM message_deliveries d WHERE d.agent_id = a.id AND d.state = 'dead') AS "dead!"
               FROM agents a LEFT JOIN inboxes i ON i.agent_id = a.id WHERE a.id = $1"#,
            agent.uuid(),
        );
        let row = row.fetch_optional(&self.pool).await?;
        let row = row.ok_or_else(|| Error::NotFound { what: "agent", id: agent.to_string() })?;
        Ok(Inbox {
            agent,
            pulled: row.pulled,
            visibility_seconds: row.visibility,
            max_tries: row.max_tries,
            last_place: row.last_place,
            open: row.open,
            dead: row.dead,
            failures: row.failures,
            open_until: row.open_until,
        })
    }

    /// Changes how an inbox is read.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown agent.
    pub async fn change_inbox(&self, agent: AgentId, change: &InboxChange) -> Result<Inbox> {
        sqlx::query!(
            "INSERT INTO inboxes (agent_id, pulled, visibility_seconds, max_tries)
             SELECT a.id, coalesce($2, false), coalesce($3, 30), coalesce($4, 5) FROM agents a WHERE a.id = $1
             ON CONFLICT (agent_id) DO UPDATE
             SET pulled = coalesce($2, inboxes.pulled),
                 visibility_seconds = coalesce($3, inboxes.visibility_seconds),
                 max_tries = coalesce($4, inboxes.max_tries)",
            agent.uuid(),
            change.pulled,
            change.visibility_seconds,
            change.max_tries,
        )
        .execute(&self.pool)
        .await?;
        self.inbox(agent).await
    }

    /// What waits in every inbox, nothing included: the truth of the lists in Redis.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn mailboxes(&self) -> Result<Vec<Mailbox>> {
        let rows = sqlx::query!(
            r#"SELECT i.agent_id,
                      ARRAY(SELECT d.message_id FROM message_deliveries d
                            WHERE d.agent_id = i.agent_id AND d.state IN ('pending', 'bound', 'taken')
                            ORDER BY d.place LIMIT $2) AS "messages!"
               FROM inboxes i ORDER BY i.agent_id LIMIT $1"#,
            MAILBOXES,
            LISTED,
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter();
        Ok(rows
            .map(|row| Mailbox {
                agent: row.agent_id.into(),
                messages: row.messages.into_iter().map(Into::into).collect(),
            })
            .collect())
    }
}
