use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::commit_hash::CommitHash;
use crate::config::Config;
use crate::error::Error;
use crate::git::Git;
use crate::git_error::GitError;
use crate::mirror;
use crate::remote;
use crate::repository_url::RepositoryUrl;
use crate::slot::{self, Slot, private_directory};
use crate::workspace::Workspace;

/// The workspaces below one root directory. Several processes may share a root.
#[derive(Debug, Clone)]
pub struct Workspaces {
    pub(crate) git: Arc<Git>,
    pub(crate) root: Arc<Path>,
}

/// What a task works on: a repository, from `base` on.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it is; the task's branch is pushed there.
    pub url: RepositoryUrl,
    /// The commit the task begins with, see [`Workspaces::resolve`].
    pub base: CommitHash,
}

impl Workspaces {
    /// Prepares the root directory and asks git for its version.
    ///
    /// # Errors
    /// The directory cannot be made, or git does not run.
    pub async fn new(config: Config) -> Result<Self, Error> {
        let root = std::path::absolute(&config.root).map_err(Error::io("resolve", &config.root))?;
        std::fs::create_dir_all(root.join("tasks")).map_err(Error::io("create", root.join("tasks")))?;
        for name in ["mirrors", "quarantine"] {
            private_directory(&root.join(name)).map_err(Error::io("create", root.join(name)))?;
        }
        let git = Git::new(config.git, &root, config.timeout).map_err(Error::io("prepare", &root))?;
        git.call("version").line().await?;
        Ok(Self { git: Arc::new(git), root: Arc::from(root) })
    }

    /// The branch of `task`, without `refs/heads/`.
    pub fn branch(task: &str) -> String {
        format!("hive/{task}")
    }

    /// Opens the tree of `task`: as it was at the journalled commit `at`, or at its base when there is none.
    /// Commits and files that an earlier run made after `at` are not part of it. While another run of the
    /// task still holds a tree on this host, this one gets a tree of its own.
    ///
    /// # Errors
    /// [`Error::MissingCommit`] when `at` or the base is nowhere to be found, [`Error::Unreachable`] when
    /// it had to be fetched and the repository did not answer, and what git or the file system reports.
    pub async fn open(&self, task: &str, source: Source, at: Option<CommitHash>) -> Result<Workspace, Error> {
        check_task(task)?;
        let Source { url: remote, base } = source;
        let objects = mirror::with_commit(&self.git, &self.mirrors(), &remote, &base).await?;
        let slot = Slot::take(&self.tasks(), task)?;
        slot.prepare(&self.git, &Self::branch(task), &objects).await?;
        if let Some(at) = &at {
            self.find(task, &slot, &remote, at).await?;
        }
        let tree = slot.tree();
        let fresh = !tree.exists();
        if fresh {
            std::fs::create_dir_all(&tree).map_err(Error::io("create", &tree))?;
            // The sandboxed user passes through and reads; whose the files are is for the sandbox to set.
            for path in [slot.directory(), &tree] {
                std::fs::set_permissions(path, PermissionsExt::from_mode(0o755))
                    .map_err(Error::io("open", path))?;
            }
        }
        let head = at.unwrap_or_else(|| base.clone());
        let mut workspace =
            Workspace::new(Arc::clone(&self.git), Arc::clone(&self.root), slot, remote, task, base, head)
                .await?;
        workspace.start(fresh).await?;
        Ok(workspace)
    }

    /// Brings `at` into the task's git directory: from there, from a stalled run's, or from the repository.
    async fn find(
        &self,
        task: &str,
        slot: &Slot,
        remote: &RepositoryUrl,
        at: &CommitHash,
    ) -> Result<(), Error> {
        let directory = slot.git_directory();
        if self.has(&directory, at).await? {
            return Ok(());
        }
        let keep = format!("+{at}:refs/hive/{at}");
        for other in slot::all(&self.tasks(), task).map(|other| other.join("git")) {
            if other != directory && other.join("HEAD").exists() && self.has(&other, at).await? {
                remote::fetch(&self.git, &directory, &("file", other)).arg(&keep).run().await?;
                return Ok(());
            }
        }
        let address = remote::address(remote).map_err(|detail| Error::Unreachable { detail })?;
        let exact = remote::fetch(&self.git, &directory, &address).arg(&keep).run().await;
        if exact.is_err() {
            let branch = Self::branch(task);
            let listed =
                remote::list(&self.git, &address, &[format!("refs/heads/{branch}")], remote::LIST_TIMEOUT)
                    .await
                    .map_err(mirror::unreachable)?;
            if !listed.is_empty() {
                remote::fetch(&self.git, &directory, &address)
                    .arg(format!("+refs/heads/{branch}:refs/remote/{branch}"))
                    .run()
                    .await
                    .map_err(mirror::unreachable)?;
            }
        }
        if self.has(&directory, at).await? { Ok(()) } else { Err(Error::MissingCommit { hash: at.clone() }) }
    }

    async fn has(&self, directory: &Path, commit: &CommitHash) -> Result<bool, GitError> {
        let [found] = remote::lookup(&self.git, directory, [format!("{commit}^{{commit}}")]).await?;
        Ok(found.as_ref() == Some(commit))
    }

    pub(crate) fn mirrors(&self) -> PathBuf {
        self.root.join("mirrors")
    }

    pub(crate) fn tasks(&self) -> PathBuf {
        self.root.join("tasks")
    }
}

fn check_task(task: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric();
    if task.len() <= 64 && task.starts_with(plain) && task.chars().all(|c| plain(c) || c == '-') {
        Ok(())
    } else {
        Err(Error::InvalidTask(task.chars().take(80).collect()))
    }
}
