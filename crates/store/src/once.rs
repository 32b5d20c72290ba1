//! A request that is carried out once, however often it is sent.
//!
//! Its effects and its answer are one transaction. The first statement of it takes the key: who sends the same key at the
//! same moment waits there, and finds the answer when the first has committed, or the key free when it was refused.

use sqlx::{PgConnection, Postgres, Transaction};

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// How long a request waits for others, in milliseconds.
const PATIENCE_MS: &str = "15000";
/// A key may be forgotten between two looks at it; that does not happen twice in a row.
const LOOKS: usize = 3;

/// What tells one request from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Who sent it.
    pub owner: String,
    /// What the sender calls it: 1 to 255 characters.
    pub key: String,
    /// SHA-256 of everything that it asks for.
    pub fingerprint: [u8; 32],
}

/// What a request was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Where the thing it made is found.
    pub location: Option<String>,
    /// The body, byte for byte.
    pub body: String,
}

/// Whether a request is to be carried out.
#[derive(Debug)]
pub enum Attempt {
    /// It came for the first time.
    First(Once),
    /// It was carried out before.
    Again(KeptAnswer),
}

/// The transaction of one request. Its verbs take effect with [`Once::finish`]; dropped before, nothing of it is left.
#[derive(Debug)]
pub struct Once {
    store: Store,
    // None once a statement was refused: Postgres takes no further one then.
    tx: Option<Transaction<'static, Postgres>>,
    key: Option<RequestKey>,
}

impl Store {
    /// Begins a request, with or without a key.
    ///
    /// # Errors
    /// [`Error::KeyReused`] when the key stands for a request that asked for something else.
    pub async fn attempt(&self, key: Option<&RequestKey>) -> Result<Attempt> {
        let mut tx = self.begin_patiently().await?;
        let first = |tx| Ok(Attempt::First(Once { store: self.clone(), tx: Some(tx), key: key.cloned() }));
        let Some(key) = key else {
            return first(tx);
        };
        for _ in 0..LOOKS {
            let taken = sqlx::query!(
                "INSERT INTO idempotency_keys (owner, key, fingerprint) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                key.owner,
                key.key,
                &key.fingerprint,
            )
            .execute(&mut *tx)
            .await?;
            if taken.rows_affected() == 1 {
                return first(tx);
            }
            if let Some(answer) = kept(&mut tx, key).await? {
                return Ok(Attempt::Again(answer));
            }
        }
        Err(Error::Conflict {
            code: "idempotency_key_busy",
            message: "the key is being forgotten".to_owned(),
        })
    }

    /// The transaction of a request without a key.
    pub(crate) async fn alone(&self) -> Result<Once> {
        Ok(Once { store: self.clone(), tx: Some(self.begin_patiently().await?), key: None })
    }

    /// Who waits for another request with the same key, or to cancel what others are cancelling, may wait as long as
    /// their work takes; the bounds of ordinary statements are shorter.
    async fn begin_patiently(&self) -> Result<Transaction<'static, Postgres>> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "SELECT set_config('lock_timeout', $1, true) AS lock, set_config('statement_timeout', $1, true) AS statement",
            PATIENCE_MS,
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(tx)
    }

    /// The answer to a request that was carried out before, without waiting for one that is under way.
    ///
    /// # Errors
    /// [`Error::KeyReused`] when the key stands for a request that asked for something else.
    pub async fn earlier_answer(&self, key: &RequestKey) -> Result<Option<KeptAnswer>> {
        kept(&mut *self.pool.acquire().await?, key).await
    }
}

async fn kept(connection: &mut PgConnection, key: &RequestKey) -> Result<Option<KeptAnswer>> {
    let row = sqlx::query!(
        "SELECT fingerprint, status, location, body FROM idempotency_keys WHERE owner = $1 AND key = $2",
        key.owner,
        key.key,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.fingerprint != key.fingerprint {
        return Err(Error::KeyReused { key: key.key.clone() });
    }
    let status = row.status.and_then(|status| u16::try_from(status).ok());
    match (status, row.body) {
        (Some(status), Some(body)) => Ok(Some(KeptAnswer { status, location: row.location, body })),
        _ => Err(Error::inconsistent(
            "idempotency_keys",
            "status",
            &key.key,
            "an answer without status or body",
        )),
    }
}

impl Once {
    /// Makes the effects lasting, together with the answer when the request has a key.
    ///
    /// # Errors
    /// When Postgres refuses; then nothing was done, unless the connection broke in that very moment.
    pub async fn finish(mut self, answer: &KeptAnswer) -> Result<()> {
        let key = self.key.take();
        let mut tx = self.take()?;
        if let Some(key) = key {
            sqlx::query!(
                "UPDATE idempotency_keys SET status = $3, location = $4, body = $5 WHERE owner = $1 AND key = $2",
                key.owner,
                key.key,
                i16::try_from(answer.status).unwrap_or(i16::MAX),
                answer.location,
                answer.body,
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Makes the effects of a request without a key lasting.
    pub(crate) async fn commit(mut self) -> Result<()> {
        Ok(self.take()?.commit().await?)
    }

    /// The connection of the transaction.
    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection> {
        self.tx.as_deref_mut().ok_or_else(broken)
    }

    /// Gives the transaction up and hands out the store, to ask why a statement was refused.
    pub(crate) async fn give_up(&mut self) -> &Store {
        // Dropping it does the same a little later; the connection is wanted for the question.
        if let Some(tx) = self.tx.take()
            && let Err(error) = tx.rollback().await
        {
            tracing::debug!(%error, "A refused transaction could not be rolled back");
        }
        &self.store
    }

    fn take(&mut self) -> Result<Transaction<'static, Postgres>> {
        self.tx.take().ok_or_else(broken)
    }
}

/// A verb was called after another one was refused.
fn broken() -> Error {
    Error::Conflict {
        code: "transaction_refused",
        message: "an earlier part of the request was refused".to_owned(),
    }
}
