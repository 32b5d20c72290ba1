use std::time::Instant;

use crate::commit_hash::CommitHash;
use crate::error::Error;
use crate::git_error::GitError;
use crate::mirror;
use crate::reference;
use crate::remote::{self, LIST_TIMEOUT, Listed};
use crate::repository_url::RepositoryUrl;
use crate::workspaces::Workspaces;

/// Why a base could not be found.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No answer from the repository within ten seconds, or an answer that refuses us.
    #[error("the repository does not answer: {detail}")]
    Unreachable {
        /// What git reported, credentials removed.
        detail: String,
    },
    /// The repository answers but has no such branch, tag or commit.
    #[error("the repository has no branch, tag or commit '{base_ref}'")]
    NoSuchRef {
        /// What was asked for.
        base_ref: String,
    },
    /// The repository answers but has no commit at all.
    #[error("the repository has no commits yet; push a first commit to it")]
    EmptyRepository,
    /// The name breaks git's rules for names.
    #[error("'{base_ref}' cannot be a branch, tag or commit: {reason}")]
    InvalidRef {
        /// What was asked for.
        base_ref: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The workspace root or git on this host failed.
    #[error(transparent)]
    Workspace(Error),
}

impl Workspaces {
    /// Asks the repository which commit `base_ref` names now: a branch, else a tag, else a full commit hash;
    /// `None` is its default branch. Answers within ten seconds, a commit hash not yet on this host excepted.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub async fn resolve(
        &self,
        url: &RepositoryUrl,
        base_ref: Option<&str>,
    ) -> Result<CommitHash, ResolveError> {
        let name = base_ref.unwrap_or("HEAD");
        reference::check(name)
            .map_err(|reason| ResolveError::InvalidRef { base_ref: name.to_owned(), reason })?;
        let address = remote::address(url).map_err(|detail| ResolveError::Unreachable { detail })?;
        let started = Instant::now();
        let candidates = candidates(name);
        let listed = remote::list(&self.git, &address, &candidates, LIST_TIMEOUT).await.map_err(refused)?;
        // Git matches the ends of names, so `x/refs/heads/main` may be listed too.
        let named = |wanted: &String| {
            listed.iter().find(|(_, found)| found == wanted).map(|(hash, _): &Listed| hash.clone())
        };
        if let Some(hash) = candidates.iter().find_map(named) {
            return Ok(hash);
        }
        if let Ok(hash) = CommitHash::parse(name) {
            match mirror::with_commit(&self.git, &self.mirrors(), url, &hash).await {
                Ok(_) => return Ok(hash),
                Err(Error::MissingCommit { .. }) => {}
                Err(Error::Unreachable { detail }) => return Err(ResolveError::Unreachable { detail }),
                Err(other) => return Err(ResolveError::Workspace(other)),
            }
        }
        let rest = LIST_TIMEOUT.saturating_sub(started.elapsed());
        if remote::list(&self.git, &address, &[], rest).await.map_err(refused)?.is_empty() {
            return Err(ResolveError::EmptyRepository);
        }
        Err(ResolveError::NoSuchRef { base_ref: name.to_owned() })
    }
}

/// The full names that `name` may stand for, best first. An annotated tag is listed a second time with `^{}`
/// and the commit it points to.
fn candidates(name: &str) -> Vec<String> {
    if name == "HEAD" {
        return vec!["HEAD".to_owned()];
    }
    if name.starts_with("refs/") {
        return vec![format!("{name}^{{}}"), name.to_owned()];
    }
    vec![format!("refs/heads/{name}"), format!("refs/tags/{name}^{{}}"), format!("refs/tags/{name}")]
}

fn refused(error: GitError) -> ResolveError {
    match mirror::unreachable(error) {
        Error::Unreachable { detail } => ResolveError::Unreachable { detail },
        other => ResolveError::Workspace(other),
    }
}
