//! Showing what was found elsewhere, to a reader.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use hive_domain::{AgentId, ContextId, MemoryReader, SessionId};
use uuid::Uuid;

use super::{Context, select_contexts};
use crate::{
    error::{Error, Result},
    line::Line,
    pool::Store,
};

/// One reader who asks for entries.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    reader: MemoryReader,
    ids: Arc<[ContextId]>,
    at: Option<DateTime<Utc>>,
}

impl Store {
    /// Those of `ids` that `reader` may recall and that hold at `at`, or now, in no order. What a search found elsewhere
    /// is shown only through here.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn recallable(
        &self,
        reader: &MemoryReader,
        ids: &[ContextId],
        at: Option<DateTime<Utc>>,
    ) -> Result<Vec<Context>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.groups.recalls.submit(&self.lines, Asked { reader: *reader, ids: ids.into(), at }).await
    }
}

/// Reads for many readers in one statement, which asks for each of them what may be seen.
pub(crate) fn send(line: &mut Line, asked: Arc<[Asked]>) -> BoxFuture<'_, Result<Vec<Result<Vec<Context>>>>> {
    Box::pin(async move {
        let (mut nth, mut ids) = (Vec::new(), Vec::new());
        for (number, asked) in (1_i64..).zip(asked.iter()) {
            nth.extend(asked.ids.iter().map(|_| number));
            ids.extend(asked.ids.iter().map(|id| id.uuid()));
        }
        let projects: Vec<Uuid> = asked.iter().map(|asked| asked.reader.project.uuid()).collect();
        let sessions: Vec<Option<Uuid>> =
            asked.iter().map(|asked| asked.reader.session.map(SessionId::uuid)).collect();
        let agents: Vec<Option<Uuid>> =
            asked.iter().map(|asked| asked.reader.agent.map(AgentId::uuid)).collect();
        let times: Vec<Option<DateTime<Utc>>> = asked.iter().map(|asked| asked.at).collect();
        let rows = select_contexts!(
            for "w.nth",
            "JOIN unnest($1::bigint[], $2::uuid[]) AS w (nth, id) ON c.id = w.id
             WHERE (c.scope = 'org' OR c.project_id = ($3::uuid[])[w.nth] AND CASE c.scope
                        WHEN 'project' THEN true
                        WHEN 'session' THEN c.session_id = ($4::uuid[])[w.nth]
                        WHEN 'agent'   THEN c.agent_id = ($5::uuid[])[w.nth]
                    END)
               AND c.valid_from <= COALESCE(($6::timestamptz[])[w.nth], now())
               AND (c.valid_to IS NULL OR c.valid_to > COALESCE(($6::timestamptz[])[w.nth], now()))
               AND (c.born_version IS NULL OR EXISTS (
                       SELECT FROM memory_versions v WHERE v.id = c.born_version AND v.state = 'active'))
               AND (c.died_version IS NULL OR NOT EXISTS (
                       SELECT FROM memory_versions v WHERE v.id = c.died_version AND v.state = 'active'))",
            &nth,
            &ids,
            &projects,
            &sessions as &[Option<Uuid>],
            &agents as &[Option<Uuid>],
            &times as &[Option<DateTime<Utc>>],
        );
        let connection = line.connection().await?;
        let rows = rows.fetch_all(&mut *connection).await?;
        let mut shown: Vec<Result<Vec<Context>>> = asked.iter().map(|_| Ok(Vec::new())).collect();
        for row in rows {
            let number = usize::try_from(row.nth - 1).unwrap_or(usize::MAX);
            // A row that cannot be read is the matter of who asked for it.
            let Some(of) = shown.get_mut(number) else { return Err(Error::passing()) };
            match (Context::try_from(row), &mut *of) {
                (Ok(context), Ok(contexts)) => contexts.push(context),
                (Err(error), Ok(_)) => *of = Err(error),
                (_, Err(_)) => {}
            }
        }
        Ok(shown)
    })
}
