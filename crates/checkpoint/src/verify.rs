//! Whether a checkpoint is what its manifest says, to the byte.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    Error, Result, files,
    manifest::{DIGEST, FORMAT, Listed, MANIFEST, Manifest, digest, digest_line},
};

/// The largest manifest that is read, in bytes: one names some million references.
const LARGEST: u64 = 256 * 1024 * 1024;

/// A checkpoint every file of which is what the manifest says.
#[derive(Debug)]
pub struct Verified {
    /// What it holds.
    pub manifest: Manifest,
    /// The digest of the manifest.
    pub manifest_sha256: String,
    /// Where it lies, absolute.
    pub directory: PathBuf,
    pub(crate) text: String,
}

/// Reads every file of the checkpoint in `directory` and compares. `expected` is the digest of the manifest as somebody
/// else knows it: the files alone cannot tell that all of them were replaced.
///
/// # Errors
/// [`Error::Damaged`] names the first file that is changed, cut, missing or too many; [`Error::Format`] when a later
/// version wrote it.
pub async fn verify(directory: &Path, expected: Option<&str>) -> Result<Verified> {
    let directory = fs::canonicalize(directory).map_err(Error::io("open", directory))?;
    let text = small(&directory, MANIFEST)?;
    let manifest_sha256 = digest(text.as_bytes());
    if small(&directory, DIGEST)? != digest_line(&manifest_sha256) {
        return Err(Error::damaged(MANIFEST, format!("does not have the digest that {DIGEST} names")));
    }
    if let Some(expected) = expected
        && !expected.eq_ignore_ascii_case(&manifest_sha256)
    {
        return Err(Error::damaged(MANIFEST, format!("has the digest {manifest_sha256}, not {expected}")));
    }
    let manifest = parse(&text)?;
    let mut there = BTreeSet::new();
    list(&directory, &mut PathBuf::new(), &mut there)?;
    for name in [MANIFEST, DIGEST] {
        there.remove(name);
    }
    for file in manifest.files() {
        if !there.remove(&file.path) {
            return Err(Error::damaged(&file.path, "is missing"));
        }
    }
    if let Some(extra) = there.first() {
        return Err(Error::damaged(extra, "is not in the manifest"));
    }
    for table in &manifest.tables {
        let lines = compare(&directory, &table.file).await?;
        if lines != table.rows {
            return Err(Error::damaged(&table.file.path, format!("has {lines} rows, not {}", table.rows)));
        }
    }
    for bundle in manifest.repositories.iter().filter_map(|repository| repository.bundle.as_ref()) {
        compare(&directory, bundle).await?;
    }
    Ok(Verified { manifest, manifest_sha256, directory, text })
}

fn small(directory: &Path, name: &str) -> Result<String> {
    let path = directory.join(name);
    match fs::symlink_metadata(&path) {
        Ok(metadata) if !metadata.is_file() => return Err(Error::damaged(name, "is no file")),
        Ok(metadata) if metadata.len() > LARGEST => return Err(Error::damaged(name, "is too large")),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::damaged(name, "is missing"));
        }
        Err(error) => return Err(Error::io("read", path)(error)),
    }
    let bytes = fs::read(&path).map_err(Error::io("read", path))?;
    String::from_utf8(bytes).map_err(|_| Error::damaged(name, "is not UTF-8"))
}

/// A later format may have other fields: its number is looked at first.
fn parse(text: &str) -> Result<Manifest> {
    #[derive(Deserialize)]
    struct Numbered {
        format: u32,
    }
    let unreadable = |error: serde_json::Error| Error::damaged(MANIFEST, format!("cannot be read: {error}"));
    let Numbered { format } = serde_json::from_str(text).map_err(unreadable)?;
    if format != FORMAT {
        return Err(Error::Format { theirs: format, ours: FORMAT });
    }
    serde_json::from_str(text).map_err(unreadable)
}

/// Every file below the checkpoint, by path; what is neither file nor directory is refused.
fn list(root: &Path, below: &mut PathBuf, found: &mut BTreeSet<String>) -> Result<()> {
    let directory = root.join(&below);
    let entries = fs::read_dir(&directory).map_err(Error::io("read", &directory))?;
    for entry in entries {
        let entry = entry.map_err(Error::io("read", &directory))?;
        let kind = entry.file_type().map_err(Error::io("read", entry.path()))?;
        below.push(entry.file_name());
        let name = below.to_string_lossy().into_owned();
        match (kind.is_dir(), kind.is_file()) {
            (true, _) => list(root, below, found)?,
            (_, true) => {
                found.insert(name);
            }
            _ => return Err(Error::damaged(name, "is no file")),
        }
        below.pop();
    }
    Ok(())
}

/// Compares a file with what is listed of it; how many lines it has.
async fn compare(directory: &Path, listed: &Listed) -> Result<u64> {
    let path = directory.join(&listed.path);
    let sum = files::sum(&path).await.map_err(Error::io("read", path))?;
    if sum.bytes != listed.bytes {
        return Err(Error::damaged(&listed.path, format!("has {} bytes, not {}", sum.bytes, listed.bytes)));
    }
    if sum.sha256 != listed.sha256 {
        return Err(Error::damaged(&listed.path, "does not have the digest that the manifest names"));
    }
    Ok(sum.lines)
}
