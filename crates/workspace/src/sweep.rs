//! What lies on this host of tasks that have ended. Nothing in here writes into a tree: what is not in the repository is
//! put aside as it is.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::commit_hash::CommitHash;
use crate::error::Error;
use crate::file_lock::FileLock;
use crate::remote;
use crate::remove::{QuarantineReason, Removal, quarantine};
use crate::repository_url::RepositoryUrl;
use crate::slot::{self, Slot};
use crate::walk;
use crate::workspace::Workspace;
use crate::workspaces::{Source, Workspaces};

/// A mirror that a fetch touched in this time is left alone: a task may be about to borrow from it.
const IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How a mirror is called while it is being deleted.
const GONE: &str = "gone-";

/// A directory on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Where it was, below the root.
    pub path: PathBuf,
    /// Its size, in bytes.
    pub bytes: u64,
    /// What became of it, or in a dry run what would.
    pub found: Found,
}

/// What was found of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Everything in it is in the repository.
    Deleted,
    /// It was put aside, for this reason.
    Quarantined(QuarantineReason),
    /// A run holds it.
    InUse,
}

impl Workspaces {
    /// The tasks that have a directory on this host, as they are called there.
    ///
    /// # Errors
    /// The root cannot be read.
    pub fn tasks_here(&self) -> Result<BTreeSet<String>, Error> {
        let named = |path: PathBuf| {
            let name = path.file_name()?.to_str()?.to_owned();
            Some(name.split_once('~').map_or(name.clone(), |(task, _)| task.to_owned()))
        };
        Ok(entries(&self.tasks())?.into_iter().filter_map(named).collect())
    }

    /// Gives up the directories of a task that has ended: deletes what is clean and in the repository, and puts aside
    /// the rest. A dry run only says what would happen.
    ///
    /// # Errors
    /// The file system refuses; what was not moved stays where it is.
    pub async fn sweep_task(
        &self,
        task: &str,
        source: &Source,
        dry_run: bool,
    ) -> Result<Vec<Leftover>, Error> {
        let mut leftovers = Vec::new();
        for directory in slot::all(&self.tasks(), task).filter(|directory| directory.is_dir()) {
            let bytes = size(directory.clone()).await;
            let leftover = |found| Leftover { path: directory.clone(), bytes, found };
            let Some(slot) = Slot::try_take(&directory)? else {
                leftovers.push(leftover(Found::InUse));
                continue;
            };
            leftovers.push(leftover(self.sweep_slot(task, source, slot, dry_run).await?));
        }
        Ok(leftovers)
    }

    async fn sweep_slot(
        &self,
        task: &str,
        source: &Source,
        slot: Slot,
        dry_run: bool,
    ) -> Result<Found, Error> {
        let directory = slot.directory().to_owned();
        let workspace = match self.as_it_lies(task, source, slot).await {
            Ok(workspace) => workspace,
            // Whatever it is, nobody can say that it is not work.
            Err(error) => {
                let reason = QuarantineReason::Unknown(error.to_string());
                if !dry_run && let Some(slot) = Slot::try_take(&directory)? {
                    quarantine(&self.root, &slot)?;
                }
                return Ok(Found::Quarantined(reason));
            }
        };
        let reason = workspace.reason_to_keep().await;
        if dry_run {
            return Ok(reason.map_or(Found::Deleted, Found::Quarantined));
        }
        match workspace.give_up(reason).await? {
            Removal::Deleted => Ok(Found::Deleted),
            Removal::Quarantined { reason, .. } => Ok(Found::Quarantined(reason)),
        }
    }

    /// The workspace of a directory without touching it: its head is where its branch is.
    async fn as_it_lies(&self, task: &str, source: &Source, slot: Slot) -> Result<Workspace, Error> {
        let branch = format!("refs/heads/{}^{{commit}}", Self::branch(task));
        let [head] = remote::lookup(&self.git, &slot.git_directory(), [branch]).await?;
        let head: CommitHash = head.unwrap_or_else(|| source.base.clone());
        Workspace::new(
            Arc::clone(&self.git),
            Arc::clone(&self.root),
            slot,
            source.url.clone(),
            task,
            source.base.clone(),
            head,
        )
        .await
    }

    /// Deletes mirrors that no directory borrows from, that are none of `used`, and that were idle for a week. They
    /// hold nothing that the repository does not. A dry run only says which.
    ///
    /// # Errors
    /// The file system refuses.
    pub async fn sweep_mirrors(&self, used: &[RepositoryUrl], dry_run: bool) -> Result<Vec<Leftover>, Error> {
        let used: HashSet<String> = used.iter().map(RepositoryUrl::key).collect();
        let lent = self.lent()?;
        let mut leftovers = Vec::new();
        for mirror in entries(&self.mirrors())?.into_iter().filter(|mirror| mirror.is_dir()) {
            let name = mirror.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_rest = name.starts_with(GONE);
            if !is_rest && (used.contains(&name) || lent.contains(&mirror) || !is_idle(&mirror)) {
                continue;
            }
            let lock = self.mirrors().join(format!("{name}.lock"));
            let Some(_lock) = FileLock::try_take(&lock).map_err(Error::io("lock", &lock))? else { continue };
            let bytes = size(mirror.clone()).await;
            if !dry_run {
                // Whoever comes now finds none, and makes it anew.
                let gone =
                    if is_rest { mirror.clone() } else { self.mirrors().join(format!("{GONE}{name}")) };
                fs::rename(&mirror, &gone).map_err(Error::io("remove", &mirror))?;
                walk::delete(gone).await?;
            }
            leftovers.push(Leftover { path: mirror, bytes, found: Found::Deleted });
        }
        Ok(leftovers)
    }

    /// The mirrors whose objects some directory borrows, in quarantine too.
    fn lent(&self) -> Result<HashSet<PathBuf>, Error> {
        let mut lent = HashSet::new();
        for directory in entries(&self.tasks())?.into_iter().chain(entries(&self.root.join("quarantine"))?) {
            let text = fs::read_to_string(directory.join("git/objects/info/alternates")).unwrap_or_default();
            lent.extend(text.lines().filter_map(|line| Path::new(line).parent().map(Path::to_owned)));
        }
        Ok(lent)
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = fs::read_dir(directory).map_err(Error::io("read", directory))?;
    Ok(read.flatten().map(|entry| entry.path()).collect())
}

/// Nothing that a fetch changes was changed in a while.
fn is_idle(mirror: &Path) -> bool {
    let touched = ["", "objects", "objects/pack", "refs", "refs/hive"].iter().filter_map(|part| {
        let modified = fs::metadata(mirror.join(part)).ok()?.modified().ok()?;
        SystemTime::now().duration_since(modified).ok()
    });
    touched.min().is_some_and(|age| age > IDLE)
}

/// Bytes of all files below a directory; what cannot be read counts nothing.
async fn size(directory: PathBuf) -> u64 {
    tokio::task::spawn_blocking(move || below(&directory)).await.unwrap_or(0)
}

fn below(directory: &Path) -> u64 {
    let (mut sum, mut waiting) = (0, vec![directory.to_owned()]);
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => waiting.push(entry.path()),
                Ok(metadata) => sum += metadata.len(),
                Err(_) => {}
            }
        }
    }
    sum
}
