//! Making a checkpoint.

use std::{
    fs,
    path::{Path, PathBuf},
};

use fail::fail_point;
use futures::StreamExt;
use hive_store::{
    Store,
    checkpoints::{FinishedCheckpoint, Snapshot, UsedRepository},
};
use hive_workspace::{RepositoryUrl, Workspaces};
use uuid::Uuid;

use crate::{
    Error, Result,
    files::{self, Writer},
    manifest::{DIGEST, FORMAT, MANIFEST, Manifest, Repository, Table, digest_line},
};

/// Where the tables lie.
const TABLES: &str = "tables";
/// Where the repositories lie.
const REPOSITORIES: &str = "repositories";

/// The directory in which a checkpoint is made, and in which one is removed.
pub(crate) fn making(root: &Path, id: Uuid) -> PathBuf {
    root.join(format!(".{id}.making"))
}

/// Makes checkpoint `id` below `root`. It appears there as a whole, on the disk, or not at all.
///
/// # Errors
/// What the database, git and the file system report. What was written until then is removed.
pub async fn make(
    store: &Store,
    workspaces: &Workspaces,
    repositories: &hive_workspace::Config,
    root: &Path,
    id: Uuid,
) -> Result<FinishedCheckpoint> {
    let root = std::path::absolute(root).map_err(Error::io("resolve", root))?;
    let directory = making(&root, id);
    let _remains = Remains(directory.clone());
    for path in [&root, &directory, &directory.join(TABLES), &directory.join(REPOSITORIES)] {
        files::private_directory(path)?;
    }
    fail_point!("checkpoint::begun", |_| std::process::abort());
    let mut snapshot = store.snapshot().await?;
    let database = snapshot.mark().clone();
    let mut tables = Vec::new();
    for table in snapshot.tables().to_vec() {
        let path = format!("{TABLES}/{}.copy", table.name);
        let sum = export(&mut snapshot, &table, &directory.join(&path)).await?;
        tables.push(Table { rows: sum.lines, file: sum.listed(path), table });
    }
    let sequences = snapshot.sequences().await?;
    let used = snapshot.repositories().await?;
    snapshot.close().await?;
    fail_point!("checkpoint::exported", |_| std::process::abort());
    let mut bundled = Vec::new();
    for (n, used) in used.iter().enumerate() {
        let path = format!("{REPOSITORIES}/{}.bundle", n + 1);
        bundled.push(bundle(workspaces, repositories, used, &directory, path).await?);
    }
    fail_point!("checkpoint::bundled", |_| std::process::abort());
    let manifest = Manifest {
        format: FORMAT,
        id,
        made_by: env!("CARGO_PKG_VERSION").to_owned(),
        database,
        finished_at: store.now().await?,
        tables,
        left_out: Manifest::left_out(),
        sequences,
        repositories: bundled,
    };
    let text = manifest.text()?;
    let done = manifest.row(&text);
    write(&directory.join(MANIFEST), &text).await?;
    write(&directory.join(DIGEST), &digest_line(&done.manifest_sha256)).await?;
    for path in [directory.join(TABLES), directory.join(REPOSITORIES), directory.clone()] {
        files::sync_directory(&path)?;
    }
    fail_point!("checkpoint::written", |_| std::process::abort());
    let place = root.join(&done.directory);
    fs::rename(&directory, &place).map_err(Error::io("put in place", &place))?;
    files::sync_directory(&root)?;
    fail_point!("checkpoint::placed", |_| std::process::abort());
    Ok(done)
}

/// Removes what was not put in place, however the making ends.
struct Remains(PathBuf);

impl Drop for Remains {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("{} is left to housekeeping: {error}", self.0.display());
        }
    }
}

async fn export(
    snapshot: &mut Snapshot,
    table: &hive_store::checkpoints::ExportedTable,
    path: &Path,
) -> Result<files::Sum> {
    let mut file = Writer::create(path)?;
    let mut rows = snapshot.rows(table).await?;
    while let Some(part) = rows.next().await {
        file.write(&part?).await.map_err(Error::io("write", path))?;
    }
    file.finish().await.map_err(Error::io("write", path))
}

async fn bundle(
    workspaces: &Workspaces,
    repositories: &hive_workspace::Config,
    used: &UsedRepository,
    directory: &Path,
    path: String,
) -> Result<Repository> {
    let file = directory.join(&path);
    let read = async {
        let url = RepositoryUrl::parse(&used.url, repositories)
            .map_err(|error| hive_workspace::Error::Unreachable { detail: error.to_string() })?;
        workspaces.bundle(&url, &file).await
    };
    match read.await {
        Ok(references) if references.all.is_empty() => Ok(Repository::of(&used.url, &references, None)),
        Ok(references) => {
            let sum = files::take_over(&file).await.map_err(Error::io("read", &file))?;
            Ok(Repository::of(&used.url, &references, Some(sum.listed(path))))
        }
        // What nobody works on any more may be gone for good, and keeps no checkpoint from being made.
        Err(hive_workspace::Error::Unreachable { detail }) if !used.open => {
            tracing::warn!("{} is not in the checkpoint: {detail}", used.url);
            Ok(Repository {
                url: used.url.clone(),
                head: None,
                references: Default::default(),
                bundle: None,
                unreachable: Some(detail),
            })
        }
        Err(source) => Err(Error::Repository { url: used.url.clone(), source }),
    }
}

async fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = Writer::create(path)?;
    file.write(text.as_bytes()).await.map_err(Error::io("write", path))?;
    file.finish().await.map_err(Error::io("write", path))?;
    Ok(())
}
