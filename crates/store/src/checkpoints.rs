//! Checkpoints of the whole system: their rows, the export of all tables under one snapshot, and the way back in.

mod course;
mod load;
mod schema;
mod snapshot;
mod table_load;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use load::Landing;
pub use snapshot::{LEFT_OUT, Snapshot};
pub use table_load::TableLoad;

/// A checkpoint as its row tells it.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Its id.
    pub id: Uuid,
    /// `waiting`, `running`, `done` or `failed`.
    pub status: String,
    /// Who asked.
    pub requested_by: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// Who makes it.
    pub worker: Option<String>,
    /// When that began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub error: Option<String>,
    /// Its directory, below that for checkpoints.
    pub directory: Option<String>,
    /// SHA-256 of its manifest, in hexadecimal.
    pub manifest_sha256: Option<String>,
    /// The size of all its files.
    pub bytes: Option<i64>,
    /// What it is of, in short.
    pub state: Option<Value>,
    /// When housekeeping removed its files.
    pub removed_at: Option<DateTime<Utc>>,
}

/// What a checkpoint came to.
#[derive(Clone, Debug)]
pub struct FinishedCheckpoint {
    /// When its manifest was written, by the database's clock.
    pub finished_at: DateTime<Utc>,
    /// Its directory, below that for checkpoints.
    pub directory: String,
    /// SHA-256 of its manifest, in hexadecimal.
    pub manifest_sha256: String,
    /// The size of all its files.
    pub bytes: i64,
    /// What it is of, in short.
    pub state: Value,
}

/// The moment of the database that a checkpoint holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseMark {
    /// The transactions that it sees, as `pg_current_snapshot()` writes them.
    pub snapshot: String,
    /// Where the write-ahead log was.
    pub wal: String,
    /// When it was taken, by the database's clock.
    pub taken_at: DateTime<Utc>,
    /// The version of Postgres.
    pub postgres: String,
    /// The newest migration.
    pub schema: i64,
    /// Every migration that had run, in order.
    pub migrations: Vec<i64>,
}

/// A table that is exported: all partitions of one are one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedTable {
    /// Its name.
    pub name: String,
    /// The columns in their order; those that Postgres makes of others are not among them.
    pub columns: Vec<String>,
}

/// Where a sequence stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceMark {
    /// Its name.
    pub name: String,
    /// The last number that it gave, or the first that it will give.
    pub last: i64,
    /// Whether `last` was given.
    pub called: bool,
}

/// A repository that tasks or schedules work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedRepository {
    /// Its address.
    pub url: String,
    /// Whether something that has not ended works on it.
    pub open: bool,
}
