//! Candidates of a search, for a memory that no process holds in an index of its own.

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, ContextId, MemoryReader, SessionId};
use sqlx::Row;
use uuid::Uuid;

use super::{EmbeddingModel, vectors};
use crate::{error::Result, pool::Store};

/// Up to so many entries are compared one by one: an index over all of them would meet hardly any that the reader may
/// see, and stop before it has enough. With more, the index is the quicker way.
const FEW: i64 = 20_000;

/// What a reader may see at a time, as a condition on `c`, with the reader in $1 to $3 and the time in $4. What a night
/// retired, or brought and did not publish, is none of it: it would take the places of what is shown.
const SEEN: &str = "(c.scope = 'org' OR c.project_id = $1 AND CASE c.scope
         WHEN 'project' THEN true
         WHEN 'session' THEN c.session_id = $2
         WHEN 'agent'   THEN c.agent_id = $3
     END)
     AND c.valid_from <= $4 AND (c.valid_to IS NULL OR c.valid_to > $4)
     AND (c.born_version IS NULL OR EXISTS (
             SELECT FROM memory_versions n WHERE n.id = c.born_version AND n.state = 'active'))
     AND (c.died_version IS NULL OR NOT EXISTS (
             SELECT FROM memory_versions n WHERE n.id = c.died_version AND n.state = 'active'))";

impl Store {
    /// Entries that have a word in common with `text` and that `reader` may see, those with most first, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn propose_by_words(
        &self,
        reader: &MemoryReader,
        text: &str,
        at: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<ContextId>> {
        let statement = format!(
            "WITH sought AS MATERIALIZED (
                 -- Any of the words, not all of them.
                 SELECT replace(plainto_tsquery('english', $5)::text, ' & ', ' | ')::tsquery AS any_word
             )
             SELECT c.id FROM sought, contexts c WHERE c.words @@ any_word AND {SEEN}
             ORDER BY ts_rank_cd(c.words, any_word) DESC, c.id LIMIT $6"
        );
        let rows = sqlx::query(&statement)
            .bind(reader.project.uuid())
            .bind(reader.session.map(SessionId::uuid))
            .bind(reader.agent.map(AgentId::uuid))
            .bind(at)
            .bind(text)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        ids(&rows)
    }

    /// Entries whose vectors are the nearest and that `reader` may see, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn propose_by_vector(
        &self,
        reader: &MemoryReader,
        model: &EmbeddingModel,
        vector: &[f32],
        at: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<ContextId>> {
        let mut tx = self.pool.begin().await?;
        let few = format!(
            "SELECT count(*) <= {FEW} FROM (SELECT FROM contexts c WHERE {SEEN} LIMIT {FEW} + 1) counted"
        );
        let few: bool = sqlx::query_scalar(&few)
            .bind(reader.project.uuid())
            .bind(reader.session.map(SessionId::uuid))
            .bind(reader.agent.map(AgentId::uuid))
            .bind(at)
            .fetch_one(&mut *tx)
            .await?;
        // The model as a literal and the cast as the index has it, else the planner cannot know that the index fits. The
        // name's letters are bounded by the table.
        let name = &model.model;
        let expression = vectors::indexed(model);
        let distance =
            format!("{expression} <=> $5::real[]::{}", expression.split("::").last().unwrap_or("vector"));
        let statement = if few {
            format!(
                "WITH own AS MATERIALIZED (
                     SELECT c.id, v.vector FROM contexts c JOIN context_vectors v ON v.context_id = c.id
                     WHERE v.model = '{name}' AND {SEEN}
                 )
                 SELECT id FROM own v ORDER BY {distance} LIMIT $6"
            )
        } else {
            sqlx::query("SET LOCAL hnsw.iterative_scan = 'relaxed_order'").execute(&mut *tx).await?;
            format!(
                "SELECT c.id FROM context_vectors v JOIN contexts c ON c.id = v.context_id
                 WHERE v.model = '{name}' AND {SEEN} ORDER BY {distance} LIMIT $6"
            )
        };
        let rows = sqlx::query(&statement)
            .bind(reader.project.uuid())
            .bind(reader.session.map(SessionId::uuid))
            .bind(reader.agent.map(AgentId::uuid))
            .bind(at)
            .bind(vector)
            .bind(limit)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        ids(&rows)
    }
}

fn ids(rows: &[sqlx::postgres::PgRow]) -> Result<Vec<ContextId>> {
    rows.iter().map(|row| Ok(row.try_get::<Uuid, _>(0)?.into())).collect()
}
