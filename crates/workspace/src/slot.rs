use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, fs::DirBuilder};

use crate::error::Error;
use crate::file_lock::FileLock;
use crate::git::Git;

/// How many runs of one task may hold a tree on one host at once: the right one, and stalled ones that lost
/// their lease but have not noticed.
const MOST: usize = 8;

/// How long a git process of a run that died may still finish before its lock files are taken for leftovers.
const LEFTOVER_AFTER: Duration = Duration::from_millis(500);

/// A directory for one run of a task: the tree, its git directory, and the lock that says it is in use.
#[derive(Debug)]
pub(crate) struct Slot {
    directory: PathBuf,
    _lock: FileLock,
}

impl Slot {
    /// The first free directory of `task`. A stalled run keeps its own, so it can never write into the tree
    /// of the run that took over.
    pub(crate) fn take(tasks: &Path, task: &str) -> Result<Self, Error> {
        for directory in all(tasks, task) {
            fs::create_dir_all(&directory).map_err(Error::io("create", &directory))?;
            if let Some(slot) = Self::try_take(&directory)? {
                return Ok(slot);
            }
        }
        Err(Error::TooManyRuns(MOST))
    }

    /// Takes an existing directory unless it is in use.
    pub(crate) fn try_take(directory: &Path) -> Result<Option<Self>, Error> {
        let path = directory.join("lock");
        let lock = FileLock::try_take(&path).map_err(Error::io("lock", path))?;
        Ok(lock.map(|lock| Self { directory: directory.to_owned(), _lock: lock }))
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.directory.join("tree")
    }

    pub(crate) fn git_directory(&self) -> PathBuf {
        self.directory.join("git")
    }

    /// Makes the git directory ready: branch `branch` as its head, objects borrowed from `objects`.
    pub(crate) async fn prepare(&self, git: &Git, branch: &str, objects: &Path) -> Result<(), Error> {
        let directory = self.git_directory();
        if !directory.join("HEAD").exists() || !directory.join("refs").exists() {
            private_directory(&directory).map_err(Error::io("create", &directory))?;
            git.call("init")
                .args(["--quiet", "--bare", "--template=", "--object-format=sha1"])
                .arg(format!("--initial-branch={branch}"))
                .arg("--")
                .arg(&directory)
                .run()
                .await?;
        }
        let mut line = objects.join("objects").into_os_string();
        line.push("\n");
        let info = directory.join("objects/info");
        let alternates = info.join("alternates");
        fs::create_dir_all(&info)
            .and_then(|()| fs::write(&alternates, line.as_encoded_bytes()))
            .map_err(Error::io("write", alternates))?;
        clear_leftover_locks(&directory, branch).await
    }
}

/// The directories `task` may use, in the order they are taken.
pub(crate) fn all(tasks: &Path, task: &str) -> impl Iterator<Item = PathBuf> {
    (0..MOST).map(move |n| match n {
        0 => tasks.join(task),
        n => tasks.join(format!("{task}~{n}")),
    })
}

/// Creates a directory that only this user may enter, and its parents.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes lock files that a killed git left. We hold the slot, so a living owner can only be a process of a
/// run that has just died.
async fn clear_leftover_locks(directory: &Path, branch: &str) -> Result<(), Error> {
    let deadline = Instant::now() + LEFTOVER_AFTER;
    for name in ["index.lock", "HEAD.lock", "packed-refs.lock", &format!("refs/heads/{branch}.lock")] {
        let path = directory.join(name);
        while path.exists() {
            if Instant::now() >= deadline {
                tracing::warn!(path = %path.display(), "Removing a lock that a killed git left");
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    Ok(())
}
