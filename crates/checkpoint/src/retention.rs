//! What lies below the directory for checkpoints: the newest is verified, those beyond the retention and the remains of
//! what was cut go.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hive_store::{Store, checkpoints::Checkpoint};
use uuid::Uuid;

use crate::{Error, Result, files, make::making, verify};

/// What was found, or in a dry run what would become of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The newest checkpoint, every file of which was read and compared.
    pub verified: Option<String>,
    /// Checkpoints that stay.
    pub kept: Vec<String>,
    /// Checkpoints beyond the retention.
    pub removed: Vec<String>,
    /// Directories of checkpoints that never came to their end.
    pub remains: Vec<String>,
    /// What this deployment knows nothing of; it stays.
    pub unknown: Vec<String>,
    /// The size of what went, in bytes.
    pub removed_bytes: u64,
}

/// Looks after the checkpoints below `root`, of which `keep` stay, at least one. With `verify_newest` the newest is read
/// first, and when it is damaged nothing is removed.
///
/// # Errors
/// [`Error::Damaged`], and what the database and the file system report.
pub async fn sweep(
    store: &Store,
    root: &Path,
    keep: usize,
    verify_newest: bool,
    dry_run: bool,
) -> Result<Kept> {
    let mut found = Kept::default();
    let mut whole: Vec<Checkpoint> = Vec::new();
    let mut remains: Vec<(String, Uuid)> = Vec::new();
    for name in names(root)? {
        let id = id_of(&name);
        let row = match id {
            Some(id) => row(store, id).await?,
            None => None,
        };
        match (id, row) {
            (Some(_), Some(row)) if row.directory.as_ref() == Some(&name) && row.removed_at.is_none() => {
                whole.push(row);
            }
            // Whoever makes it is at it.
            (Some(_), Some(row)) if matches!(row.status.as_str(), "waiting" | "running") => {}
            (Some(id), Some(_)) => remains.push((name, id)),
            _ => found.unknown.push(name),
        }
    }
    // Ids order by time.
    whole.sort_by_key(|row| std::cmp::Reverse(row.id));
    if let Some(newest) = whole.first().filter(|_| verify_newest) {
        let directory = root.join(newest.directory.as_deref().unwrap_or_default());
        verify(&directory, newest.manifest_sha256.as_deref()).await?;
        found.verified = newest.directory.clone();
    }
    for (place, row) in whole.into_iter().enumerate() {
        let name = row.directory.clone().unwrap_or_default();
        if place < keep.max(1) {
            found.kept.push(name);
            continue;
        }
        found.removed_bytes += u64::try_from(row.bytes.unwrap_or_default()).unwrap_or_default();
        if !dry_run {
            // First out of sight: half of one must not be taken for one.
            let aside = making(root, row.id);
            fs::rename(root.join(&name), &aside).map_err(Error::io("remove", root.join(&name)))?;
            files::sync_directory(root)?;
            store.note_checkpoint_removed(row.id).await?;
            delete(aside).await?;
        }
        found.removed.push(name);
    }
    for (name, _) in remains {
        let path = root.join(&name);
        found.removed_bytes += size(&path);
        if !dry_run {
            delete(path).await?;
        }
        found.remains.push(name);
    }
    Ok(found)
}

fn names(root: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", root)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(Error::io("read", root))?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The id in the name of a directory that is or was to be a checkpoint.
fn id_of(name: &str) -> Option<Uuid> {
    let id = match name.strip_prefix('.') {
        Some(rest) => rest.strip_suffix(".making")?,
        None => name.split_once('-')?.1,
    };
    id.parse().ok()
}

async fn row(store: &Store, id: Uuid) -> Result<Option<Checkpoint>> {
    match store.checkpoint(id).await {
        Ok(row) => Ok(Some(row)),
        Err(hive_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn delete(path: PathBuf) -> Result<()> {
    tokio::fs::remove_dir_all(&path).await.map_err(Error::io("remove", path))
}

/// Bytes of all files below a directory; what cannot be read counts nothing.
fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
