//! What an embedder did not take: why, and when it is tried again.

use chrono::{DateTime, Utc};
use hive_domain::{ContextId, MessageId};
use uuid::Uuid;

use crate::{error::Result, pool::Store, text::storable};

/// Times that a text is refused before a new model becomes the active one without its vectors.
pub(super) const GIVEN_UP_AFTER: i32 = 3;
/// How long the first refusal holds, in seconds; each further one twice as long.
const FIRST_SECONDS: f64 = 60.0;
/// How long one holds at most, in seconds.
const MOST_SECONDS: f64 = 21_600.0;

/// A try that brought no vectors.
#[derive(Clone, Debug)]
pub struct FailedEmbedding<'a> {
    /// The model that was to make them.
    pub model: &'a str,
    /// What was said about it.
    pub reason: &'a str,
    /// It is the text that was refused, which waits longer each time; else it is tried again when its time is over.
    pub is_refusal: bool,
}

/// Why an entry has no vectors yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unembedded {
    /// The model that was to make them.
    pub model: String,
    /// What was said last.
    pub reason: String,
    /// Times in a row that the text was refused.
    pub refusals: i32,
    /// When it is tried again.
    pub next_at: DateTime<Utc>,
}

impl Store {
    /// Notes that an entry got no vectors, and when it is tried again.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn note_unembedded_context(&self, id: ContextId, failed: &FailedEmbedding<'_>) -> Result<()> {
        sqlx::query!(
            "UPDATE context_vectors_due
             SET reason = $3, refusals = refusals + $4::bool::int,
                 taken_until = CASE WHEN $4 THEN now() + make_interval(secs => least($5::float8 * 2.0::float8 ^ least(refusals, 20), $6::float8))
                               ELSE taken_until END
             WHERE model = $1 AND context_id = $2",
            failed.model,
            id.uuid(),
            &*storable(failed.reason),
            failed.is_refusal,
            FIRST_SECONDS,
            MOST_SECONDS,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The same of a message.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn note_unembedded_message(&self, id: MessageId, failed: &FailedEmbedding<'_>) -> Result<()> {
        sqlx::query!(
            "UPDATE message_vectors_due
             SET reason = $3, refusals = refusals + $4::bool::int,
                 taken_until = CASE WHEN $4 THEN now() + make_interval(secs => least($5::float8 * 2.0::float8 ^ least(refusals, 20), $6::float8))
                               ELSE taken_until END
             WHERE model = $1 AND message_id = $2",
            failed.model,
            id.uuid(),
            &*storable(failed.reason),
            failed.is_refusal,
            FIRST_SECONDS,
            MOST_SECONDS,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives entries back that were taken and not tried.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn untake_due_contexts(&self, model: &str, ids: &[ContextId]) -> Result<()> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        sqlx::query!(
            "UPDATE context_vectors_due SET taken_until = least(taken_until, now())
             WHERE model = $1 AND context_id = ANY($2)",
            model,
            &ids,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The same of messages.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn untake_due_messages(&self, model: &str, ids: &[MessageId]) -> Result<()> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        sqlx::query!(
            "UPDATE message_vectors_due SET taken_until = least(taken_until, now())
             WHERE model = $1 AND message_id = ANY($2)",
            model,
            &ids,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Why an entry has no vectors of the model that searches use; none when it has them, or was not tried yet.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn unembedded(&self, id: ContextId) -> Result<Option<Unembedded>> {
        let row = sqlx::query_as!(
            Unembedded,
            r#"SELECT d.model, d.reason AS "reason!", d.refusals, greatest(d.taken_until, now()) AS "next_at!"
               FROM context_vectors_due d JOIN embedding_models m ON m.model = d.model AND m.state = 'active'
               WHERE d.context_id = $1 AND d.reason IS NOT NULL"#,
            id.uuid(),
        );
        Ok(row.fetch_optional(&self.pool).await?)
    }

    /// How many entries and how many messages have no vectors since their text was refused.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn refused_embeddings(&self) -> Result<(i64, i64)> {
        let row = sqlx::query!(
            r#"SELECT (SELECT count(*) FROM context_vectors_due WHERE refusals > 0) AS "contexts!",
                      (SELECT count(*) FROM message_vectors_due WHERE refusals > 0) AS "messages!""#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((row.contexts, row.messages))
    }
}
