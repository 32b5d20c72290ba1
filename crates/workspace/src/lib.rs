//! The door to git: a mirror per repository, a tree per task, a commit per turn, a diff.
//!
//! ```text
//! <root>/mirrors/<hash of url>/   bare repository, fetched once for all tasks that need the same commit
//! <root>/tasks/<task>/tree/       the files the agent works on, branch hive/<task>
//! <root>/tasks/<task>/git/        the task's own git directory; objects are borrowed from the mirror
//! <root>/quarantine/              work that was not pushed when its task was removed
//! ```
//!
//! **The tree has no `.git`.** The git directory lies outside of it and is named on each call, so nothing an
//! agent writes can alter our configuration, hooks or index, and git never looks for a repository inside the
//! tree. The price is that `git status` and `git log` do not work inside the sandbox; the agent's tools show
//! the diff instead. A `.git` that appears in the tree is never read and never committed; files beside it are
//! committed as plain files, and what was left out is listed in [`Workspace::skipped`].
//!
//! **What a commit holds.** `.gitignore` is respected, so ignored files do not travel to another host.
//! Symbolic links are committed as links and never followed. Submodules keep the commit they name.
//! `.gitattributes` is not applied: bytes are stored as they are, no filter or conversion runs.
//!
//! **Whom we trust.** A repository below a configured file root is trusted as a server would be: its own hooks
//! decide on a push. The contents of a tree are never trusted.

mod beneath;
mod bundle;
mod call;
mod commit;
mod commit_hash;
mod config;
mod diff;
mod error;
mod file_lock;
mod git;
mod git_error;
mod message;
mod mirror;
mod process;
mod push;
mod pushed;
mod reference;
mod remote;
mod remove;
mod repository_url;
mod reset;
mod resolve;
mod restore;
mod slot;
mod status;
mod sweep;
mod walk;
mod workspace;
mod workspaces;

pub use bundle::References;
pub use commit::{Commit, Skipped, SkippedReason};
pub use commit_hash::{CommitHash, InvalidHash};
pub use config::Config;
pub use diff::{Diff, DiffStat};
pub use error::Error;
pub use git_error::{GitError, GitFailure};
pub use message::CommitMessage;
pub use push::PushError;
pub use remove::{QuarantineReason, Removal};
pub use repository_url::{RepositoryUrl, UrlError};
pub use resolve::ResolveError;
pub use sweep::{Found, Leftover};
pub use workspace::Workspace;
pub use workspaces::{Source, Workspaces};
