//! What a checkpoint says of itself.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hive_store::checkpoints::{DatabaseMark, ExportedTable, FinishedCheckpoint, LEFT_OUT, SequenceMark};
use hive_workspace::References;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Result;

/// The newest format that is read and the one that is written.
pub const FORMAT: u32 = 1;

/// The file's name.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The name of the file with its digest.
pub(crate) const DIGEST: &str = "manifest.json.sha256";

/// Everything that a checkpoint holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// How it is written down; a later version may know more of them.
    pub format: u32,
    /// Its id.
    pub id: Uuid,
    /// The version that made it.
    pub made_by: String,
    /// The moment of the database.
    pub database: DatabaseMark,
    /// When this was written, by the database's clock.
    pub finished_at: DateTime<Utc>,
    /// The tables, by name.
    pub tables: Vec<Table>,
    /// Tables that are not in it, and why.
    pub left_out: BTreeMap<String, String>,
    /// Where the sequences stood.
    pub sequences: Vec<SequenceMark>,
    /// The repositories, by address.
    pub repositories: Vec<Repository>,
}

/// A file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Below the checkpoint.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

/// A table of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name and columns.
    #[serde(flatten)]
    pub table: ExportedTable,
    /// How many rows there are.
    pub rows: u64,
    /// They themselves.
    pub file: Listed,
}

/// A repository of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// Its address.
    pub url: String,
    /// The branch that is its head.
    pub head: Option<String>,
    /// Every reference and the commit or tag that it names.
    pub references: BTreeMap<String, String>,
    /// The commits; none for a repository without references.
    pub bundle: Option<Listed>,
    /// Why it is not in the checkpoint. Only what nobody works on any more may be left out.
    pub unreachable: Option<String>,
}

impl Repository {
    /// One that was read.
    pub(crate) fn of(url: &str, references: &References, bundle: Option<Listed>) -> Self {
        let all = references.all.iter().map(|(name, hash)| (name.clone(), hash.to_string()));
        Self {
            url: url.to_owned(),
            head: references.head.clone(),
            references: all.collect(),
            bundle,
            unreachable: None,
        }
    }

    /// Whether these are the same references.
    pub(crate) fn is(&self, references: &References) -> bool {
        Self::of(&self.url, references, None).references == self.references
    }

    /// One digest for all its references.
    fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for (name, hash) in &self.references {
            digest.update(format!("{hash} {name}\n"));
        }
        hex::encode(digest.finalize())
    }
}

impl Manifest {
    /// What was left out, for a new one.
    pub(crate) fn left_out() -> BTreeMap<String, String> {
        LEFT_OUT.iter().map(|(table, why)| ((*table).to_owned(), (*why).to_owned())).collect()
    }

    /// Every file but the manifest and its digest.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Listed> {
        let bundles = self.repositories.iter().filter_map(|repository| repository.bundle.as_ref());
        self.tables.iter().map(|table| &table.file).chain(bundles)
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Its bytes as a file.
    pub(crate) fn text(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|error| crate::Error::Refused(format!("the manifest cannot be written: {error}")))
    }

    /// The name of its directory.
    pub(crate) fn directory(&self) -> String {
        format!("{}-{}", self.database.taken_at.format("%Y%m%dT%H%M%SZ"), self.id)
    }

    /// What the row of the checkpoint says of it; the same before and after a restore.
    pub(crate) fn row(&self, text: &str) -> FinishedCheckpoint {
        let digest = digest(text.as_bytes());
        let bytes: u64 = self.files().map(|file| file.bytes).sum();
        let bytes = bytes + text.len() as u64 + digest_line(&digest).len() as u64;
        FinishedCheckpoint {
            finished_at: self.finished_at,
            directory: self.directory(),
            bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            state: self.summary(),
            manifest_sha256: digest,
        }
    }

    fn summary(&self) -> Value {
        let repositories = self.repositories.iter().map(|repository| {
            let head = repository.head.as_ref();
            json!({
                "url": repository.url,
                "head": head,
                "commit": head.and_then(|head| repository.references.get(head)),
                "references": repository.references.len(),
                "references_sha256": repository.digest(),
                "unreachable": repository.unreachable,
            })
        });
        json!({
            "format": self.format,
            "made_by": self.made_by,
            "database": {
                "snapshot": self.database.snapshot,
                "wal": self.database.wal,
                "taken_at": self.database.taken_at,
                "postgres": self.database.postgres,
                "schema": self.database.schema,
            },
            "tables": self.tables.len(),
            "rows": self.rows(),
            "repositories": repositories.collect::<Vec<_>>(),
        })
    }
}

/// SHA-256, in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The file with the digest, as `sha256sum --check` reads it.
pub(crate) fn digest_line(digest: &str) -> String {
    format!("{digest}  {MANIFEST}\n")
}
