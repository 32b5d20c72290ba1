//! The local copies of repositories: one bare repository per address, shared by all tasks on this host.

use std::path::{Path, PathBuf};

use crate::commit_hash::CommitHash;
use crate::error::Error;
use crate::file_lock::FileLock;
use crate::git::Git;
use crate::remote;
use crate::repository_url::RepositoryUrl;

/// The bare repository that has `base`, fetched if need be. Tasks that want a commit which is already there
/// do not contact the repository, and of many that want a new one only the first does.
pub(crate) async fn with_commit(
    git: &Git,
    mirrors: &Path,
    url: &RepositoryUrl,
    base: &CommitHash,
) -> Result<PathBuf, Error> {
    let mirror = mirrors.join(url.key());
    if known(git, &mirror, base).await {
        return Ok(mirror);
    }
    let lock = mirrors.join(format!("{}.lock", url.key()));
    let _lock = FileLock::take(&lock, git.timeout()).await.map_err(Error::io("lock", lock))?;
    if known(git, &mirror, base).await {
        return Ok(mirror);
    }
    init_bare(git, &mirror).await?;
    let address = remote::address(url).map_err(|detail| Error::Unreachable { detail })?;
    // A server that speaks protocol 2 gives any commit by name; the reference keeps it and lets the next
    // fetch say what we have.
    let exact = remote::fetch(git, &mirror, &address).arg(format!("+{base}:refs/hive/{base}")).run().await;
    if let Err(error) = exact {
        if remote::is_ours(&error) {
            return Err(error.into());
        }
        tracing::debug!(error = %error, "The repository does not give commits by name; fetching all branches");
        remote::fetch(git, &mirror, &address)
            .args(["+refs/heads/*:refs/remote/heads/*", "+refs/tags/*:refs/remote/tags/*"])
            .run()
            .await
            .map_err(unreachable)?;
    }
    if has(git, &mirror, base).await? { Ok(mirror) } else { Err(Error::MissingCommit { hash: base.clone() }) }
}

/// Makes a bare repository, or repairs one whose making was cut short.
pub(crate) async fn init_bare(git: &Git, directory: &Path) -> Result<(), Error> {
    crate::slot::private_directory(directory).map_err(Error::io("create", directory))?;
    git.call("init")
        .args(["--quiet", "--bare", "--template=", "--object-format=sha1", "--initial-branch=main", "--"])
        .arg(directory)
        .run()
        .await?;
    Ok(())
}

/// What to report when a repository was contacted in vain.
pub(crate) fn unreachable(error: crate::GitError) -> Error {
    if remote::is_ours(&error) { error.into() } else { Error::Unreachable { detail: error.detail() } }
}

/// False also for a repository that somebody else is just making, or whose making was cut short: git refuses both.
async fn known(git: &Git, mirror: &Path, commit: &CommitHash) -> bool {
    has(git, mirror, commit).await.unwrap_or_else(|error| {
        tracing::debug!(%error, "What the mirror holds cannot be read");
        false
    })
}

async fn has(git: &Git, repository: &Path, commit: &CommitHash) -> Result<bool, Error> {
    if !repository.join("HEAD").exists() {
        return Ok(false);
    }
    let [found] = remote::lookup(git, repository, [format!("{commit}^{{commit}}")]).await?;
    Ok(found.as_ref() == Some(commit))
}
