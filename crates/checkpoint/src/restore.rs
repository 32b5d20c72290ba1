//! Bringing a checkpoint into an empty deployment.

use std::{collections::BTreeMap, fs, path::PathBuf};

use hive_store::{
    Store,
    checkpoints::{ExportedTable, Landing},
};
use hive_workspace::{CommitHash, References, RepositoryUrl, Workspaces};

use crate::{
    Error, Result,
    files::Reader,
    manifest::{Repository, Table},
    verify::Verified,
};

/// Rows of this table say which partitions there are.
const WEEKS: &str = "journal_weeks";

/// Where a checkpoint is brought to.
#[derive(Debug)]
pub struct Target<'a> {
    /// The database.
    pub store: &'a Store,
    /// Git.
    pub workspaces: &'a Workspaces,
    /// Below which directories repositories may lie.
    pub repositories: &'a hive_workspace::Config,
    /// The names of the agents that every deployment begins with.
    pub agents: &'a [String],
}

/// What was brought in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Rows of all tables.
    pub rows: u64,
    /// Repositories that were made.
    pub repositories: Vec<String>,
    /// Repositories that were there, with the same references.
    pub present: Vec<String>,
    /// Repositories on other hosts, which are not written to.
    pub elsewhere: Vec<String>,
    /// Repositories that are not in the checkpoint, and why.
    pub absent: BTreeMap<String, String>,
}

/// A repository to be made.
struct Wanted<'a> {
    url: RepositoryUrl,
    repository: &'a Repository,
    references: References,
}

/// Brings everything into an empty database and to the places of its repositories: all of it or nothing. The schema is
/// that of the checkpoint afterwards; migrations that are newer are the caller's to run.
///
/// # Errors
/// A database, or a place of a repository, that is not empty, named; a checkpoint of a newer schema; and what the
/// database, git and the file system report.
pub async fn restore(target: &Target<'_>, checkpoint: &Verified) -> Result<Restored> {
    let manifest = &checkpoint.manifest;
    let mut landing = target.store.landing().await?;
    landing.demand_empty(target.agents).await?;
    let mut restored = Restored { rows: manifest.rows(), ..Restored::default() };
    let wanted = wanted(target, &manifest.repositories, &mut restored).await?;
    landing.migrate_to(&manifest.database.migrations).await?;
    let tables: Vec<ExportedTable> = manifest.tables.iter().map(|table| table.table.clone()).collect();
    landing.begin(&tables, target.agents).await?;
    let (weeks, others): (Vec<&Table>, Vec<&Table>) =
        manifest.tables.iter().partition(|table| table.table.name == WEEKS);
    for table in weeks {
        load(&mut landing, checkpoint, table).await?;
    }
    landing.make_weeks().await?;
    for table in others {
        load(&mut landing, checkpoint, table).await?;
    }
    let mut placed = Placed(Vec::new());
    for wanted in &wanted {
        let bundle = wanted.repository.bundle.as_ref().map(|file| checkpoint.directory.join(&file.path));
        let put = target.workspaces.put_back(&wanted.url, bundle.as_deref(), &wanted.references).await;
        placed.0.push(put.map_err(|source| Error::Repository { url: wanted.url.to_string(), source })?);
        restored.repositories.push(wanted.url.to_string());
    }
    landing.commit(&manifest.sequences, manifest.id, &manifest.row(&checkpoint.text)).await?;
    placed.0.clear();
    Ok(restored)
}

/// Repositories that were made, removed again unless everything else comes to its end, too.
struct Placed(Vec<PathBuf>);

impl Drop for Placed {
    fn drop(&mut self) {
        for place in &self.0 {
            if let Err(error) = fs::remove_dir_all(place) {
                tracing::warn!("{} was made and is left: {error}", place.display());
            }
        }
    }
}

/// Which repositories are to be made; a place that is taken is refused, unless it is as it should become: then an
/// earlier try came that far.
async fn wanted<'a>(
    target: &Target<'_>,
    repositories: &'a [Repository],
    restored: &mut Restored,
) -> Result<Vec<Wanted<'a>>> {
    let mut wanted = Vec::new();
    for repository in repositories {
        if let Some(why) = &repository.unreachable {
            restored.absent.insert(repository.url.clone(), why.clone());
            continue;
        }
        let url = RepositoryUrl::parse(&repository.url, target.repositories)
            .map_err(|error| Error::Refused(format!("{}: {error}", repository.url)))?;
        if !url.is_here() {
            restored.elsewhere.push(repository.url.clone());
            continue;
        }
        let there = target.workspaces.references_of(&url).await;
        let there = there.map_err(|source| Error::Repository { url: repository.url.clone(), source })?;
        match there {
            None => wanted.push(Wanted { url, references: references(repository)?, repository }),
            Some(there) if repository.is(&there) => restored.present.push(repository.url.clone()),
            Some(there) => {
                return Err(Error::Refused(format!(
                    "there is a repository at {} already, with {} references that are not those of the checkpoint",
                    repository.url,
                    there.all.len()
                )));
            }
        }
    }
    Ok(wanted)
}

fn references(repository: &Repository) -> Result<References> {
    let mut all = BTreeMap::new();
    for (name, hash) in &repository.references {
        let hash = CommitHash::parse(hash)
            .map_err(|error| Error::damaged(crate::manifest::MANIFEST, format!("{name}: {error}")))?;
        all.insert(name.clone(), hash);
    }
    Ok(References { head: repository.head.clone(), all })
}

/// What is loaded is compared once more: the file may have changed since it was verified.
async fn load(landing: &mut Landing, checkpoint: &Verified, table: &Table) -> Result<()> {
    let path = checkpoint.directory.join(&table.file.path);
    let mut file = Reader::open(&path).await.map_err(Error::io("read", &path))?;
    let mut rows = landing.load(&table.table).await?;
    while let Some(part) = file.part().await.map_err(Error::io("read", &path))? {
        rows.send(part).await?;
    }
    let loaded = rows.finish().await?;
    if file.sum().sha256 != table.file.sha256 || loaded != table.rows {
        return Err(Error::damaged(&table.file.path, "changed while it was read"));
    }
    Ok(())
}
