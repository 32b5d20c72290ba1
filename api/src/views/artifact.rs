//! A stored text as it is listed.

use chrono::{DateTime, Utc};
use hive_store::artifacts::Artifact;
use serde::Serialize;
use utoipa::ToSchema;

/// A text that a task shows, such as its diff or the whole output of a tool; the text itself is at its own path.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Artifact)]
pub struct ArtifactView {
    /// Its name: `diff`, or what a step calls it.
    name: String,
    /// What it is.
    media_type: String,
    /// How long it is.
    bytes: i64,
    /// Its SHA-256 in hex. The same text is stored once.
    sha256: String,
    /// When the task first showed something under this name.
    created_at: DateTime<Utc>,
}

impl From<Artifact> for ArtifactView {
    fn from(artifact: Artifact) -> Self {
        let Artifact { name, media_type, bytes, sha256, at: created_at } = artifact;
        Self { name, media_type, bytes, sha256, created_at }
    }
}
