//! Vectors of messages, and the messages that are nearest to one. Models are those of the memory: each vector says its
//! model, and what a search compares is of one.

use std::collections::{HashMap, HashSet};

use hive_domain::{AgentId, ConversationId, MessageId};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::{Row, Search, StoredMessage};
use crate::{
    contexts::{EmbeddingModel, Vectors, indexed},
    error::{Error, Result},
    pool::Store,
};

/// How long a process may take to embed what it took, in seconds; then another one takes it.
const TAKEN_SECONDS: f64 = 60.0;
/// Up to so many messages are compared one by one; see `contexts::propose`.
const FEW: i64 = 20_000;

/// What a search is narrowed to, as a condition on `m`: the project in $1, the reader in $2, then conversation, sender and
/// time.
const READABLE: &str = "m.project_id = $1
     AND ($2::uuid IS NULL OR m.id IN (SELECT id FROM conversations WHERE from_agent_id = $2
                                       UNION ALL SELECT message_id FROM message_deliveries WHERE agent_id = $2))
     AND ($3::uuid IS NULL OR m.thread_id = $3) AND ($4::uuid IS NULL OR m.from_agent_id = $4)
     AND ($5::timestamptz IS NULL OR m.created_at >= $5)";

/// Binds $1 to $5 of [`READABLE`].
macro_rules! narrowed {
    ($query:expr, $search:expr) => {
        $query
            .bind($search.project.uuid())
            .bind($search.reader.map(AgentId::uuid))
            .bind($search.conversation.map(ConversationId::uuid))
            .bind($search.from.map(AgentId::uuid))
            .bind($search.since)
    };
}

/// A message that wants vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueMessage {
    /// Its id.
    pub id: MessageId,
    /// What it says.
    pub content: String,
}

/// A message whose meaning is near.
#[derive(Clone, Debug)]
pub struct NearMessage {
    /// The message.
    pub message: StoredMessage,
    /// The cosine of its nearest part.
    pub cosine: f32,
}

/// Notes that a message wants vectors of each model that is in use.
pub(super) async fn want(connection: &mut PgConnection, message: Uuid) -> Result<()> {
    sqlx::query!(
        "INSERT INTO message_vectors_due (model, message_id)
         SELECT model, $1 FROM embedding_models WHERE state <> 'retired'",
        message
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Takes messages that want vectors of a model, for some time, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn take_due_messages(&self, model: &str, limit: i64) -> Result<Vec<DueMessage>> {
        let rows = sqlx::query!(
            "WITH next AS (
                 SELECT model, message_id FROM message_vectors_due
                 WHERE model = $1 AND taken_until < now()
                 ORDER BY taken_until, message_id LIMIT $2 FOR UPDATE SKIP LOCKED
             ), taken AS (
                 UPDATE message_vectors_due d SET taken_until = now() + make_interval(secs => $3)
                 FROM next n WHERE d.model = n.model AND d.message_id = n.message_id
                 RETURNING d.message_id
             )
             SELECT m.id, m.content FROM taken t JOIN conversations m ON m.id = t.message_id",
            model,
            limit,
            TAKEN_SECONDS,
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter();
        Ok(rows.map(|row| DueMessage { id: row.id.into(), content: row.content }).collect())
    }

    /// Gives a message the vectors that it wanted. Whether they were taken: not when it is gone.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn give_message_vectors(&self, message: MessageId, vectors: &Vectors) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let there =
            sqlx::query_scalar!("SELECT id FROM conversations WHERE id = $1 FOR KEY SHARE", message.uuid());
        if there.fetch_optional(&mut *tx).await?.is_none() {
            return Ok(false);
        }
        for (chunk, vector) in (0_i16..).zip(&vectors.chunks) {
            sqlx::query!(
                "INSERT INTO message_vectors (message_id, model, chunk, vector) VALUES ($1, $2, $3, $4::real[]::vector)
                 ON CONFLICT (message_id, model, chunk) DO UPDATE SET vector = excluded.vector",
                message.uuid(),
                vectors.model,
                chunk,
                vector,
            )
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query!(
            "DELETE FROM message_vectors_due WHERE model = $1 AND message_id = $2",
            vectors.model,
            message.uuid(),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The messages whose vectors are the nearest, of those that the search is narrowed to, nearest first; its words are
    /// not looked at.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn near_messages(
        &self,
        search: &Search,
        model: &EmbeddingModel,
        vector: &[f32],
    ) -> Result<Vec<NearMessage>> {
        let mut tx = self.pool.begin().await?;
        let few = format!(
            "SELECT count(*) <= {FEW} FROM (SELECT FROM conversations m WHERE {READABLE} LIMIT {FEW} + 1) counted"
        );
        let few: bool = narrowed!(sqlx::query_scalar(&few), search).fetch_one(&mut *tx).await?;
        // The model as a literal and the cast as the index has it, else the planner cannot know that the index fits. The
        // name's letters are bounded by the table of the models.
        let name = &model.model;
        let expression = indexed(model);
        let distance =
            format!("{expression} <=> $6::real[]::{}", expression.split("::").last().unwrap_or("vector"));
        let statement = if few {
            format!(
                "WITH own AS MATERIALIZED (
                     SELECT m.id, v.vector FROM conversations m JOIN message_vectors v ON v.message_id = m.id
                     WHERE v.model = '{name}' AND {READABLE}
                 )
                 SELECT id, (1 - ({distance}))::real FROM own v ORDER BY {distance}, id LIMIT $7"
            )
        } else {
            sqlx::query("SET LOCAL hnsw.iterative_scan = 'relaxed_order'").execute(&mut *tx).await?;
            format!(
                "SELECT m.id, (1 - ({distance}))::real FROM message_vectors v JOIN conversations m ON m.id = v.message_id
                 WHERE v.model = '{name}' AND {READABLE} ORDER BY {distance} LIMIT $7"
            )
        };
        let rows = narrowed!(sqlx::query(&statement), search).bind(vector).bind(search.limit);
        let mut near: Vec<(Uuid, f32)> = Vec::new();
        for row in rows.fetch_all(&mut *tx).await? {
            near.push((row.try_get(0)?, row.try_get(1)?));
        }
        // An index gives them nearly in order.
        near.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        // A long message has several parts, and counts by the nearest.
        let mut seen = HashSet::new();
        near.retain(|(id, _)| seen.insert(*id));
        let ids: Vec<Uuid> = near.iter().map(|(id, _)| *id).collect();
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT id, thread_id, number, from_agent_id, from_task_id, from_name, to_agent_id,
                      audience::text AS "audience!", message_type::text AS "message_type!", content, context_refs, trust,
                      reply_to, answer_by, session_id, wakes, created_at
               FROM conversations WHERE id = ANY ($1) ORDER BY array_position($1, id)"#,
            &ids,
        );
        let rows = rows.fetch_all(&mut *tx).await?;
        tx.commit().await?;
        let cosines: HashMap<Uuid, f32> = near.into_iter().collect();
        let found = rows.into_iter().map(|row| {
            let cosine = cosines.get(&row.id).copied().unwrap_or_default();
            Ok::<_, Error>(NearMessage { message: row.try_into()?, cosine })
        });
        found.collect()
    }
}
