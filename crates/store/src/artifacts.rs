//! Large texts, stored once by their SHA-256 and shown by name under a task.

use chrono::{DateTime, Utc};
use hive_domain::TaskId;
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// The largest artifact, in bytes; what is longer is cut by the writer.
pub const MAX_ARTIFACT_BYTES: usize = 10 << 20;

/// What a task shows of a stored text, without the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its name under the task.
    pub name: String,
    /// What it is.
    pub media_type: String,
    /// How long it is.
    pub bytes: i64,
    /// Its SHA-256 in hex; the same text has the same everywhere.
    pub sha256: String,
    /// When the task first showed something under this name.
    pub at: DateTime<Utc>,
}

impl Store {
    /// Stores `body` and shows it as `name` under `task`, which runs with this epoch. Repeating it changes nothing; a new
    /// body takes the name over. Returns the SHA-256 in hex.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease is lost: nothing was stored.
    /// [`Error::Invalid`] when the body is over [`MAX_ARTIFACT_BYTES`].
    pub async fn put_artifact(
        &self,
        task: TaskId,
        epoch: i64,
        name: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<String> {
        if body.len() > MAX_ARTIFACT_BYTES {
            return Err(Error::Invalid {
                field: "/body",
                message: format!("an artifact is at most {MAX_ARTIFACT_BYTES} bytes"),
            });
        }
        let sha256 = Sha256::digest(body).to_vec();
        let shown = sqlx::query!(
            "WITH held AS (
                 SELECT id FROM tasks WHERE id = $4 AND epoch = $7 AND status = 'running' FOR SHARE
             ), stored AS (
                 INSERT INTO artifacts (sha256, bytes, body) SELECT $1, $2, $3 FROM held
                 -- Touched, so that housekeeping does not take it for one that nobody shows.
                 ON CONFLICT (sha256) DO UPDATE SET created_at = now()
             )
             INSERT INTO task_artifacts (task_id, name, sha256, media_type) SELECT id, $5, $1, $6 FROM held
             ON CONFLICT (task_id, name) DO UPDATE SET sha256 = excluded.sha256, media_type = excluded.media_type",
            sha256,
            i64::try_from(body.len()).unwrap_or(i64::MAX),
            body,
            task.uuid(),
            name,
            media_type,
            epoch,
        )
        .execute(&self.pool)
        .await?;
        if shown.rows_affected() == 0 {
            return Err(Error::Fenced { task, epoch });
        }
        Ok(hex::encode(sha256))
    }

    /// The artifact shown as `name` under `task`: media type and body.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn artifact(&self, task: TaskId, name: &str) -> Result<(String, Vec<u8>)> {
        let row = sqlx::query!(
            "SELECT t.media_type, a.body FROM task_artifacts t JOIN artifacts a USING (sha256)
             WHERE t.task_id = $1 AND t.name = $2",
            task.uuid(),
            name,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| Error::NotFound { what: "artifact", id: format!("{task}/{name}") })?;
        Ok((row.media_type, row.body))
    }

    /// What `task` shows, by name after `after`, at most `limit`. No text is read.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn artifacts(&self, task: TaskId, after: &str, limit: i64) -> Result<Vec<Artifact>> {
        let artifacts = sqlx::query_as!(
            Artifact,
            r#"SELECT t.name, t.media_type, a.bytes, encode(t.sha256, 'hex') AS "sha256!", t.created_at AS at
               FROM task_artifacts t JOIN artifacts a USING (sha256)
               WHERE t.task_id = $1 AND t.name > $2 ORDER BY t.name LIMIT $3"#,
            task.uuid(),
            after,
            limit,
        );
        Ok(artifacts.fetch_all(&self.pool).await?)
    }
}
