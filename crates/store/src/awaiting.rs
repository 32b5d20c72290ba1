//! What awaits a run that begins. Most find nothing, so that one look for many of them takes the place of two for each.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures::future::BoxFuture;
use hive_domain::{AgentId, MemoryReader, SessionId, task::Awaiting};
use sqlx::PgConnection;

use crate::{
    error::{Error, Result},
    line::Line,
    pool::Store,
};

impl Store {
    /// What awaits a run of this reader now.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn awaiting(&self, reader: &MemoryReader) -> Result<Awaiting> {
        self.groups.beginnings.submit(&self.lines, *reader).await
    }
}

/// Looks for many at once.
pub(crate) fn send(
    line: &mut Line,
    readers: Arc<[MemoryReader]>,
) -> BoxFuture<'_, Result<Vec<Result<Awaiting>>>> {
    Box::pin(async move {
        let found = look(line.connection().await?, &readers).await?;
        Ok(readers.iter().map(|reader| found.get(reader).copied().ok_or_else(Error::passing)).collect())
    })
}

/// What awaits each of these readers; the same one is asked about once.
pub(crate) async fn look(
    connection: &mut PgConnection,
    readers: &[MemoryReader],
) -> Result<HashMap<MemoryReader, Awaiting>> {
    let asked: Vec<MemoryReader> = readers.iter().copied().collect::<HashSet<_>>().into_iter().collect();
    let projects: Vec<_> = asked.iter().map(|reader| reader.project.uuid()).collect();
    let sessions: Vec<_> = asked.iter().map(|reader| reader.session.map(SessionId::uuid)).collect();
    let agents: Vec<_> = asked.iter().map(|reader| reader.agent.map(AgentId::uuid)).collect();
    let found = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM message_deliveries d
                          WHERE d.agent_id = r.agent AND d.state = 'pending' AND d.visible_at <= now())
                      AS "messages!",
                  EXISTS (SELECT FROM contexts c
                          WHERE c.scope = 'org' AND c.valid_from <= now()
                            AND (c.valid_to IS NULL OR c.valid_to > now()))
                  OR EXISTS (SELECT FROM contexts c
                             WHERE c.project_id = r.project AND c.valid_from <= now()
                               AND (c.valid_to IS NULL OR c.valid_to > now())
                               AND CASE c.scope
                                       WHEN 'project' THEN true
                                       WHEN 'session' THEN c.session_id = r.session
                                       WHEN 'agent'   THEN c.agent_id = r.agent
                                   END) AS "memories!"
           FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) WITH ORDINALITY r (project, session, agent, place)
           ORDER BY r.place"#,
        &projects,
        &sessions as &[Option<uuid::Uuid>],
        &agents as &[Option<uuid::Uuid>],
    );
    let found = found.fetch_all(connection).await?;
    let found = found.into_iter().map(|row| Awaiting { messages: row.messages, memories: row.memories });
    Ok(asked.into_iter().zip(found).collect())
}
