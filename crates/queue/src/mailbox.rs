//! What waits for each agent, as lists of ids: a view for whoever looks into Redis, never asked by us. The truth is in
//! Postgres, and a list that is lost is written again.

use std::fmt::Display;

use redis::Pipeline;

use crate::{Error, Queue, keys};

/// Lists in one pipeline.
const PIPELINE: usize = 100;

/// The channel on which an agent's messages are told.
#[must_use]
pub fn agent_events(agent: impl Display) -> String {
    format!("agent_events:{agent}")
}

impl Queue {
    /// Writes lists anew, whole; an empty one is removed. Each is replaced in one moment.
    ///
    /// # Errors
    /// [`Error::Redis`]: Redis is away; the caller does it again.
    pub async fn write_mailboxes(&self, lists: &[(String, Vec<String>)]) -> Result<(), Error> {
        for lists in lists.chunks(PIPELINE) {
            let mut pipeline = Pipeline::with_capacity(lists.len() * 2);
            pipeline.atomic();
            for (agent, messages) in lists {
                let key = keys::mailbox(&self.shared.prefix, agent);
                pipeline.del(&key).ignore();
                if !messages.is_empty() {
                    pipeline.rpush(&key, messages).ignore();
                }
            }
            pipeline.exec_async(&mut self.shared.conn.clone()).await?;
        }
        Ok(())
    }

    /// Notes that all lists are written. False when that was not noted before: Redis has forgotten everything, or nobody
    /// ever wrote.
    ///
    /// # Errors
    /// [`Error::Redis`]: Redis is away.
    pub async fn mark_mailboxes(&self) -> Result<bool, Error> {
        let key = keys::mailbox(&self.shared.prefix, "written");
        let mut set = redis::cmd("SET");
        set.arg(key).arg("1").arg("NX");
        let first: Option<String> = set.query_async(&mut self.shared.conn.clone()).await?;
        Ok(first.is_none())
    }

    /// The list of an agent, as it lies in Redis.
    ///
    /// # Errors
    /// [`Error::Redis`]: Redis is away.
    pub async fn mailbox(&self, agent: impl Display) -> Result<Vec<String>, Error> {
        let key = keys::mailbox(&self.shared.prefix, &agent.to_string());
        let mut range = redis::cmd("LRANGE");
        range.arg(key).arg(0).arg(-1);
        Ok(range.query_async(&mut self.shared.conn.clone()).await?)
    }
}
