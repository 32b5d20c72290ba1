//! The course of a checkpoint: asked for, taken, ended. One at a time, whoever asks.

use uuid::Uuid;

use super::{Checkpoint, FinishedCheckpoint};
use crate::{
    error::{Error, Result},
    once::Once,
    pool::Store,
    text::storable,
};

/// A request that nobody takes in this time fails: no worker has a directory for checkpoints.
const TAKEN_WITHIN_SECONDS: f64 = 60.0;
/// How long a worker holds a checkpoint after it was last heard of.
const LEASE_SECONDS: f64 = 30.0;

const NOBODY: &str =
    "no worker took it: none has a directory for checkpoints; set HIVE_CHECKPOINTS of a worker";
const SILENT: &str = "the worker that made it fell silent";

impl Once {
    /// Asks for a checkpoint.
    ///
    /// # Errors
    /// [`Error::Conflict`] `checkpoint_running`, naming the one that is not at its end.
    pub async fn request_checkpoint(&mut self, actor: &str) -> Result<Checkpoint> {
        let connection = self.connection()?;
        fail_lost(&mut *connection).await?;
        let id = Uuid::now_v7();
        let made = sqlx::query_scalar!(
            "INSERT INTO system_checkpoints (id, requested_by) VALUES ($1, $2)
             ON CONFLICT ((true)) WHERE status IN ('waiting', 'running') DO NOTHING RETURNING id",
            id,
            actor,
        )
        .fetch_optional(&mut *connection)
        .await?;
        if made.is_none() {
            let other = sqlx::query_scalar!(
                "SELECT id FROM system_checkpoints WHERE status IN ('waiting', 'running')"
            )
            .fetch_optional(&mut *connection)
            .await?;
            let which = other.map_or_else(|| "another one".to_owned(), |id| id.to_string());
            return Err(Error::Conflict {
                code: "checkpoint_running",
                message: format!("checkpoint {which} is being made; one at a time"),
            });
        }
        one(connection, id).await
    }
}

impl Store {
    /// Takes the checkpoint that was asked for, if there is one.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn take_checkpoint(&self, worker: &str) -> Result<Option<Uuid>> {
        let taken = sqlx::query_scalar!(
            "UPDATE system_checkpoints
             SET status = 'running', worker = $1, started_at = now(), lease_until = now() + make_interval(secs => $2)
             WHERE status = 'waiting' RETURNING id",
            worker,
            LEASE_SECONDS,
        );
        Ok(taken.fetch_optional(&self.pool).await?)
    }

    /// Says that its worker is alive; false when the checkpoint is no longer its.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn renew_checkpoint(&self, id: Uuid, worker: &str) -> Result<bool> {
        let renewed = sqlx::query!(
            "UPDATE system_checkpoints SET lease_until = now() + make_interval(secs => $3)
             WHERE id = $1 AND worker = $2 AND status = 'running'",
            id,
            worker,
            LEASE_SECONDS,
        );
        Ok(renewed.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Writes down that a checkpoint is whole; false when it is no longer this worker's.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn finish_checkpoint(&self, id: Uuid, worker: &str, done: &FinishedCheckpoint) -> Result<bool> {
        let finished = sqlx::query!(
            "UPDATE system_checkpoints
             SET status = 'done', lease_until = NULL, finished_at = $3, directory = $4, manifest_sha256 = $5, bytes = $6,
                 state = $7
             WHERE id = $1 AND worker = $2 AND status = 'running'",
            id,
            worker,
            done.finished_at,
            done.directory,
            done.manifest_sha256,
            done.bytes,
            done.state,
        );
        Ok(finished.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Writes down why a checkpoint could not be made.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn fail_checkpoint(&self, id: Uuid, worker: &str, error: &str) -> Result<()> {
        let error = storable(error);
        sqlx::query!(
            "UPDATE system_checkpoints SET status = 'failed', lease_until = NULL, finished_at = now(), error = $3
             WHERE id = $1 AND worker = $2 AND status = 'running'",
            id,
            worker,
            error.as_ref(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ends checkpoints that nobody makes: their worker died, or no worker can.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn fail_lost_checkpoints(&self) -> Result<u64> {
        fail_lost(&mut *self.pool.acquire().await?).await
    }

    /// One checkpoint.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn checkpoint(&self, id: Uuid) -> Result<Checkpoint> {
        one(&mut *self.pool.acquire().await?, id).await
    }

    /// Checkpoints before `cursor`, newest first, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn checkpoints(&self, cursor: Option<Uuid>, limit: i64) -> Result<Vec<Checkpoint>> {
        let page = sqlx::query_as!(
            Checkpoint,
            r#"SELECT id, status::text AS "status!", requested_by, created_at, worker, started_at, finished_at, error,
                      directory, manifest_sha256, bytes, state, removed_at
               FROM system_checkpoints WHERE $1::uuid IS NULL OR id < $1
               ORDER BY id DESC LIMIT $2"#,
            cursor,
            limit,
        );
        Ok(page.fetch_all(&self.pool).await?)
    }

    /// Notes that the files of a checkpoint are no longer there.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn note_checkpoint_removed(&self, id: Uuid) -> Result<()> {
        sqlx::query!(
            "UPDATE system_checkpoints SET removed_at = now() WHERE id = $1 AND status = 'done' AND removed_at IS NULL",
            id,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

async fn fail_lost(connection: &mut sqlx::PgConnection) -> Result<u64> {
    let failed = sqlx::query!(
        "UPDATE system_checkpoints
         SET status = 'failed', lease_until = NULL, finished_at = now(),
             error = CASE WHEN status = 'waiting' THEN $2 ELSE $3 END
         WHERE status = 'waiting' AND created_at < now() - make_interval(secs => $1)
            OR status = 'running' AND lease_until < now()",
        TAKEN_WITHIN_SECONDS,
        NOBODY,
        SILENT,
    );
    Ok(failed.execute(connection).await?.rows_affected())
}

async fn one(connection: &mut sqlx::PgConnection, id: Uuid) -> Result<Checkpoint> {
    sqlx::query_as!(
        Checkpoint,
        r#"SELECT id, status::text AS "status!", requested_by, created_at, worker, started_at, finished_at, error,
                  directory, manifest_sha256, bytes, state, removed_at
           FROM system_checkpoints WHERE id = $1"#,
        id,
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| Error::NotFound { what: "checkpoint", id: id.to_string() })
}
