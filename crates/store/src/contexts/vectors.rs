//! Vectors and the models that made them. Spaces are never mixed: each vector says its model, one model is the active one,
//! and another becomes so when all entries have vectors of it.

use chrono::{DateTime, Utc};
use hive_domain::ContextId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::refusals::GIVEN_UP_AFTER;
use crate::{
    error::{Error, Result},
    pool::Store,
};

/// How long a process may take to embed what it took, in seconds; then another one takes it.
const TAKEN_SECONDS: f64 = 60.0;
/// Vectors of up to so many numbers are indexed whole, longer ones with half the precision; pgvector indexes no longer
/// ones otherwise.
const MOST_WHOLE: i32 = 2_000;

/// The vectors of one entry, one for each chunk.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// Whose space they lie in.
    pub model: String,
    /// In the order of the chunks.
    pub chunks: Vec<Vec<f32>>,
}

/// A model that makes vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingModel {
    /// Its name.
    pub model: String,
    /// The length of its vectors.
    pub dims: i32,
}

/// An entry that wants vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueContext {
    /// Its id.
    pub id: ContextId,
    /// Its title.
    pub title: String,
    /// What it says.
    pub content: String,
    /// When text in it was written over: vectors of what stood there before are not taken.
    pub redacted_at: Option<DateTime<Utc>>,
}

/// The expression over `context_vectors v` or `message_vectors v` that the index of a model has.
pub(crate) fn indexed(model: &EmbeddingModel) -> String {
    let kind = if model.dims <= MOST_WHOLE { "vector" } else { "halfvec" };
    format!("v.vector::{kind}({})", model.dims)
}

/// Attaches vectors, or notes that some are wanted of each model that is in use and not among them.
pub(crate) async fn attach(
    connection: &mut PgConnection,
    id: ContextId,
    vectors: Option<&Vectors>,
) -> Result<()> {
    if let Some(Vectors { model, chunks }) = vectors {
        insert(connection, id, model, chunks).await?;
    }
    sqlx::query!(
        "INSERT INTO context_vectors_due (model, context_id)
         SELECT model, $1 FROM embedding_models WHERE state <> 'retired' AND model IS DISTINCT FROM $2
         ON CONFLICT (model, context_id) DO UPDATE
         SET taken_until = '-infinity', tries = 0, refusals = 0, reason = NULL",
        id.uuid(),
        vectors.map(|vectors| &*vectors.model),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes all entries and messages that have no vectors of a model and do not want some yet; how many.
async fn want_all(connection: &mut PgConnection, model: &str) -> Result<u64> {
    let entries = sqlx::query!(
        "INSERT INTO context_vectors_due (model, context_id)
         SELECT $1, id FROM contexts c
         WHERE NOT EXISTS (SELECT FROM context_vectors v WHERE v.context_id = c.id AND v.model = $1)
         ON CONFLICT DO NOTHING",
        model
    );
    let entries = entries.execute(&mut *connection).await?;
    let messages = sqlx::query!(
        "INSERT INTO message_vectors_due (model, message_id)
         SELECT $1, id FROM conversations m
         WHERE NOT EXISTS (SELECT FROM message_vectors v WHERE v.message_id = m.id AND v.model = $1)
         ON CONFLICT DO NOTHING",
        model
    );
    let messages = messages.execute(&mut *connection).await?;
    Ok(entries.rows_affected() + messages.rows_affected())
}

/// Retires the model that is in this state, if there is one. Nothing waits for its vectors any more.
async fn retire(connection: &mut PgConnection, state: &str) -> Result<()> {
    sqlx::query!(
        "WITH over AS (
             UPDATE embedding_models SET state = 'retired', state_at = now()
             WHERE state = $1::text::embedding_state RETURNING model
         ), entries AS (
             DELETE FROM context_vectors_due d USING over o WHERE d.model = o.model
         )
         DELETE FROM message_vectors_due d USING over o WHERE d.model = o.model",
        state
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert(
    connection: &mut PgConnection,
    id: ContextId,
    model: &str,
    chunks: &[Vec<f32>],
) -> Result<()> {
    for (chunk, vector) in (0_i16..).zip(chunks) {
        sqlx::query!(
            "INSERT INTO context_vectors (context_id, model, chunk, dims, vector)
             VALUES ($1, $2, $3, $4, $5::real[]::vector)
             ON CONFLICT (context_id, model, chunk) DO UPDATE
             SET vector = excluded.vector, changed_tx = pg_current_xact_id()",
            id.uuid(),
            model,
            chunk,
            i32::try_from(vector.len()).unwrap_or(i32::MAX),
            vector,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

impl Store {
    /// The model whose vectors searches use.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn active_embedding_model(&self) -> Result<Option<EmbeddingModel>> {
        let model = sqlx::query_as!(
            EmbeddingModel,
            "SELECT model, dims FROM embedding_models WHERE state = 'active'"
        );
        Ok(model.fetch_optional(&self.pool).await?)
    }

    /// Makes sure that entries and messages get vectors of this model. When it is new, or was retired, all of them want
    /// some, and it becomes the active one when they have them; see [`Store::finish_embedding_model`]. Another one that is
    /// being built gives way: its service may never answer.
    ///
    /// # Errors
    /// [`Error::Conflict`] `embedding_model_length` when its vectors had another length before.
    pub async fn use_embedding_model(&self, model: &EmbeddingModel) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let known = sqlx::query!(
            r#"SELECT dims, state::text AS "state!" FROM embedding_models WHERE model = $1 FOR NO KEY UPDATE"#,
            model.model
        )
        .fetch_optional(&mut *tx)
        .await?;
        match known {
            Some(known) if known.dims != model.dims => {
                let message =
                    format!("vectors of {} have {} numbers, not {}", model.model, known.dims, model.dims);
                return Err(Error::Conflict { code: "embedding_model_length", message });
            }
            Some(known) if known.state != "retired" => return Ok(()),
            _ => {}
        }
        retire(&mut tx, "building").await?;
        sqlx::query!(
            "INSERT INTO embedding_models (model, dims) VALUES ($1, $2)
             ON CONFLICT (model) DO UPDATE SET state = 'building', state_at = now()",
            model.model,
            model.dims
        )
        .execute(&mut *tx)
        .await?;
        want_all(&mut tx, &model.model).await?;
        let expression = indexed(model).replacen("v.", "", 1);
        let class = if model.dims <= MOST_WHOLE { "vector_cosine_ops" } else { "halfvec_cosine_ops" };
        // Its letters are bounded by the table, so that they can stand in a statement.
        let name = hex::encode(model.model.as_bytes());
        let name = &name[name.len().saturating_sub(40)..];
        for table in ["context_vectors", "message_vectors"] {
            let create = format!(
                "CREATE INDEX IF NOT EXISTS {table}_{name} ON {table} USING hnsw (({expression}) {class})
                 WHERE model = '{}'",
                model.model
            );
            sqlx::query(&create).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Makes a model the active one, if all entries and messages have vectors of it and it is not yet; whether it is now.
    /// What it refused again and again is not waited for.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn finish_embedding_model(&self, model: &str) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let ready = sqlx::query_scalar!(
            r#"SELECT NOT EXISTS (SELECT FROM context_vectors_due WHERE model = $1 AND refusals < $2)
                      AND NOT EXISTS (SELECT FROM message_vectors_due WHERE model = $1 AND refusals < $2) AS "ready!"
               FROM embedding_models WHERE model = $1 AND state = 'building' FOR NO KEY UPDATE"#,
            model,
            GIVEN_UP_AFTER,
        )
        .fetch_optional(&mut *tx)
        .await?;
        if ready != Some(true) {
            return Ok(false);
        }
        // What was being stored when the model began did not know of it, and was not seen by it.
        if want_all(&mut tx, model).await? > 0 {
            tx.commit().await?;
            return Ok(false);
        }
        // One after the other: there is one active model at each moment.
        retire(&mut tx, "active").await?;
        sqlx::query!(
            "UPDATE embedding_models SET state = 'active', state_at = now() WHERE model = $1",
            model
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes entries that want vectors of a model, for some time, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn take_due_contexts(&self, model: &str, limit: i64) -> Result<Vec<DueContext>> {
        let rows = sqlx::query!(
            "WITH next AS (
                 SELECT model, context_id FROM context_vectors_due
                 WHERE model = $1 AND taken_until < now()
                 ORDER BY taken_until, context_id LIMIT $2 FOR UPDATE SKIP LOCKED
             ), taken AS (
                 UPDATE context_vectors_due d SET taken_until = now() + make_interval(secs => $3), tries = tries + 1
                 FROM next n WHERE d.model = n.model AND d.context_id = n.context_id
                 RETURNING d.context_id
             )
             SELECT c.id, c.title, c.content, c.redacted_at FROM taken t JOIN contexts c ON c.id = t.context_id",
            model,
            limit,
            TAKEN_SECONDS,
        )
        .fetch_all(&self.pool)
        .await?;
        let due = rows.into_iter().map(|row| DueContext {
            id: row.id.into(),
            title: row.title,
            content: row.content,
            redacted_at: row.redacted_at,
        });
        Ok(due.collect())
    }

    /// Gives an entry the vectors that it wanted. Whether they were taken: not when the entry is gone or its text was
    /// written over since.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn give_vectors(&self, due: &DueContext, vectors: &Vectors) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let same: Option<Uuid> = sqlx::query_scalar!(
            "SELECT id FROM contexts WHERE id = $1 AND redacted_at IS NOT DISTINCT FROM $2 FOR SHARE",
            due.id.uuid(),
            due.redacted_at,
        )
        .fetch_optional(&mut *tx)
        .await?;
        if same.is_none() {
            return Ok(false);
        }
        insert(&mut tx, due.id, &vectors.model, &vectors.chunks).await?;
        sqlx::query!(
            "DELETE FROM context_vectors_due WHERE model = $1 AND context_id = $2",
            vectors.model,
            due.id.uuid(),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }
}
