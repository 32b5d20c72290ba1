use std::io;
use std::path::PathBuf;

use crate::commit_hash::CommitHash;
use crate::git_error::GitError;

/// Why work on a workspace did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The file system failed.
    #[error("{action} {}: {source}", .path.display())]
    Io {
        /// What was tried, a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The task id cannot be part of a path and a branch name.
    #[error("'{0}' is no task id; letters, digits and '-' are allowed, 64 at most")]
    InvalidTask(String),
    /// The repository did not answer.
    #[error("the repository does not answer: {detail}")]
    Unreachable {
        /// What git reported, credentials removed.
        detail: String,
    },
    /// A commit that neither this host nor the repository has.
    #[error("commit {hash} is neither on this host nor in the repository")]
    MissingCommit {
        /// The commit that was asked for.
        hash: CommitHash,
    },
    /// Too many runs of one task hold a tree on this host.
    #[error("{0} runs of this task hold a tree on this host; wait for one to end")]
    TooManyRuns(usize),
    /// A file larger than a commit may hold.
    #[error("{path} has {size} bytes, more than the {limit} a commit may hold; delete it or ignore it")]
    FileTooLarge {
        /// Relative to the tree.
        path: String,
        /// In bytes.
        size: u64,
        /// In bytes.
        limit: u64,
    },
    /// Directories nested deeper than we follow.
    #[error("directories are nested more than {0} deep")]
    TooDeep(usize),
    /// A message that would not survive in a commit.
    #[error("the commit message cannot be used: {0}")]
    InvalidMessage(String),
}

impl Error {
    /// For `map_err`: an I/O failure with what was tried and where.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
