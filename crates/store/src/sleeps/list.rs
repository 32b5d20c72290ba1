//! Nights as they are shown.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, SleepId, SleepState};
use serde_json::Value;
use uuid::Uuid;

use super::{Sleep, select_sleeps};
use crate::{
    error::{Error, Result},
    pool::Store,
};

/// A transition of a night.
#[derive(Clone, Debug)]
pub struct SleepEvent {
    /// Its number in the night, from 1.
    pub seq: i32,
    /// Where the night stood from then on.
    pub state: SleepState,
    /// What is known of it.
    pub data: Value,
    /// When.
    pub at: DateTime<Utc>,
}

impl Store {
    /// Nights of an agent before `cursor`, newest first, at most `limit`, with their transitions.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an agent that does not exist.
    pub async fn sleeps(
        &self,
        agent: AgentId,
        cursor: Option<SleepId>,
        limit: i64,
    ) -> Result<Vec<(Sleep, Vec<SleepEvent>)>> {
        let known = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM agents WHERE id = $1) AS "known!""#,
            agent.uuid()
        );
        if !known.fetch_one(&self.pool).await? {
            return Err(Error::NotFound { what: "agent", id: agent.to_string() });
        }
        let rows = select_sleeps!(
            "WHERE s.agent_id = $1 AND ($2::uuid IS NULL OR s.id < $2) ORDER BY s.id DESC LIMIT $3",
            agent.uuid(),
            cursor.map(SleepId::uuid),
            limit,
        );
        let sleeps: Vec<Sleep> =
            rows.fetch_all(&self.pool).await?.into_iter().map(Sleep::try_from).collect::<Result<_>>()?;
        let ids: Vec<Uuid> = sleeps.iter().map(|sleep| sleep.id.uuid()).collect();
        let events = sqlx::query!(
            r#"SELECT sleep_id, seq, kind::text AS "kind!", data, created_at FROM sleep_events
               WHERE sleep_id = ANY ($1) ORDER BY sleep_id, seq"#,
            &ids,
        );
        let mut by_sleep: HashMap<Uuid, Vec<SleepEvent>> = HashMap::new();
        for row in events.fetch_all(&self.pool).await? {
            let state = row.kind.parse();
            let state = state.map_err(|e| Error::inconsistent("sleep_events", "kind", row.sleep_id, e))?;
            let event = SleepEvent { seq: row.seq, state, data: row.data, at: row.created_at };
            by_sleep.entry(row.sleep_id).or_default().push(event);
        }
        let with_events = |sleep: Sleep| {
            let events = by_sleep.remove(&sleep.id.uuid()).unwrap_or_default();
            (sleep, events)
        };
        Ok(sleeps.into_iter().map(with_events).collect())
    }
}
