//! A checkpoint as it is shown.

use chrono::{DateTime, Utc};
use hive_store::checkpoints::Checkpoint;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A checkpoint of the whole system.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Checkpoint)]
pub struct CheckpointView {
    /// Its id.
    id: Uuid,
    /// `waiting` for a worker, `running`, `done` or `failed`.
    status: String,
    /// Who asked.
    requested_by: String,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// The worker that makes it, or made it.
    worker: Option<String>,
    /// When that began.
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// Why it failed.
    error: Option<String>,
    /// Its directory, below that for checkpoints.
    directory: Option<String>,
    /// SHA-256 of its manifest, in hexadecimal: who has it can tell that the files are those that were written.
    manifest_sha256: Option<String>,
    /// The size of all its files.
    bytes: Option<i64>,
    /// The mark of the database and the commits of the repositories, in short.
    #[schema(value_type = Option<Object>)]
    state: Option<Value>,
    /// When housekeeping removed its files.
    removed_at: Option<DateTime<Utc>>,
}

impl From<Checkpoint> for CheckpointView {
    fn from(checkpoint: Checkpoint) -> Self {
        Self {
            id: checkpoint.id,
            status: checkpoint.status,
            requested_by: checkpoint.requested_by,
            created_at: checkpoint.created_at,
            worker: checkpoint.worker,
            started_at: checkpoint.started_at,
            finished_at: checkpoint.finished_at,
            error: checkpoint.error,
            directory: checkpoint.directory,
            manifest_sha256: checkpoint.manifest_sha256,
            bytes: checkpoint.bytes,
            state: checkpoint.state,
            removed_at: checkpoint.removed_at,
        }
    }
}
