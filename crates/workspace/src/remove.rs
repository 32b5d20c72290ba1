use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::slot::{self, Slot};
use crate::status;
use crate::walk;
use crate::workspace::Workspace;

/// What became of a workspace that is no longer needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// Everything in it is in the repository; it was deleted.
    Deleted,
    /// It was moved aside whole, tree and git directory.
    Quarantined {
        /// Where it is now.
        path: PathBuf,
        /// Why it was kept.
        reason: QuarantineReason,
    },
}

/// Why a workspace was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuarantineReason {
    /// The repository's branch is not at the workspace's head.
    Unpushed,
    /// The tree holds changes that were not committed.
    Uncommitted,
    /// It could not be found out: the repository did not answer or git failed.
    Unknown(String),
    /// Everything is pushed, but the files resist deletion.
    Undeletable(String),
    /// Left by another run of the task that is no longer alive.
    Abandoned,
}

impl Workspace {
    /// Gives up the workspace. It is deleted only when its head is pushed and its tree is clean; in every
    /// other case it is moved to the quarantine. Ignored files are not work. What dead runs of the same task
    /// left on this host is quarantined too.
    ///
    /// # Errors
    /// The file system refuses the move; the workspace then stays where it is.
    pub async fn remove(self) -> Result<Removal, Error> {
        let reason = self.reason_to_keep().await;
        for directory in slot::all(&self.root.join("tasks"), &self.task) {
            if directory != self.slot.directory() && directory.exists() {
                // A living run keeps its directory and removes it itself.
                if let Some(abandoned) = Slot::try_take(&directory)? {
                    quarantine(&self.root, &abandoned)?;
                }
            }
        }
        self.give_up(reason).await
    }

    /// Deletes the directory, or puts it aside when there is a reason to keep it.
    pub(crate) async fn give_up(self, reason: Option<QuarantineReason>) -> Result<Removal, Error> {
        if let Some(reason) = reason {
            return Ok(Removal::Quarantined { path: quarantine(&self.root, &self.slot)?, reason });
        }
        // The tree first: what is left after a crash is then still a repository that can be opened again.
        for part in [self.tree.clone(), self.slot.directory().to_owned()] {
            if let Err(error) = walk::delete(part).await {
                let reason = QuarantineReason::Undeletable(error.to_string());
                return Ok(Removal::Quarantined { path: quarantine(&self.root, &self.slot)?, reason });
            }
        }
        Ok(Removal::Deleted)
    }

    pub(crate) async fn reason_to_keep(&self) -> Option<QuarantineReason> {
        let unknown = |error: &dyn std::error::Error| Some(QuarantineReason::Unknown(error.to_string()));
        match walk::look(&self.tree, &self.submodules).await {
            Ok(found) if found.in_submodules.is_empty() => {}
            Ok(_) => return Some(QuarantineReason::Uncommitted),
            Err(error) => return unknown(&error),
        }
        match status::read(self).await {
            Ok(changes) if changes.is_empty() => {}
            Ok(_) => return Some(QuarantineReason::Uncommitted),
            Err(error) => return unknown(&error),
        }
        if self.head == self.base {
            return None;
        }
        match self.pushed_head().await {
            Ok(Some(pushed)) if pushed == self.head => None,
            // Another run, or a person, may have gone on from here.
            Ok(Some(_)) => match self.is_part_of_pushed().await {
                Ok(true) => None,
                Ok(false) => Some(QuarantineReason::Unpushed),
                Err(error) => unknown(&error),
            },
            Ok(None) => Some(QuarantineReason::Unpushed),
            Err(error) => unknown(&error),
        }
    }
}

/// Moves a whole directory of a run aside, under a name that is free.
pub(crate) fn quarantine(root: &Path, slot: &Slot) -> Result<PathBuf, Error> {
    let from = slot.directory();
    let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for n in 0_u32.. {
        let to = root.join("quarantine").join(if n == 0 { name.clone() } else { format!("{name}.{n}") });
        match fs::rename(from, &to) {
            Ok(()) => return Ok(to),
            // A directory can take the place of an empty one only, so nothing in quarantine is replaced.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
                ) => {}
            Err(source) => {
                return Err(Error::Io { action: "quarantine", path: from.to_owned(), source });
            }
        }
    }
    Err(Error::Io {
        action: "quarantine",
        path: from.to_owned(),
        source: io::ErrorKind::AlreadyExists.into(),
    })
}
