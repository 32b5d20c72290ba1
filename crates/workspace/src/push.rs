use crate::commit_hash::CommitHash;
use crate::git_error::{GitError, GitFailure};
use crate::mirror;
use crate::remote::{self, LIST_TIMEOUT};
use crate::workspace::Workspace;

/// Why the branch did not reach the repository.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The branch there is not where the caller expected it: another run of the task has pushed.
    #[error("the branch has moved, it is now at {}", .actual.as_ref().map_or("nothing", CommitHash::as_str))]
    Moved {
        /// Where the branch is, none if it does not exist.
        actual: Option<CommitHash>,
    },
    /// The repository refuses, by a hook, a protection rule or its configuration.
    #[error("the repository refuses the branch: {reason}")]
    Rejected {
        /// What it said, credentials removed.
        reason: String,
    },
    /// The repository did not answer.
    #[error("the repository does not answer: {detail}")]
    Unreachable {
        /// What git reported, credentials removed.
        detail: String,
    },
    /// Git on this host failed.
    #[error(transparent)]
    Git(GitError),
}

impl Workspace {
    /// Pushes the head to the task's branch if that branch is still at `expected_remote` (`None`: does not
    /// exist). A branch that is at the head already counts as pushed. No other branch is ever written.
    ///
    /// # Errors
    /// See [`PushError`].
    pub async fn push(&self, expected_remote: Option<&CommitHash>) -> Result<(), PushError> {
        let expected = expected_remote.map_or("", CommitHash::as_str);
        let lease = format!("--force-with-lease=refs/heads/{}:{expected}", self.branch);
        let result = self.send(&lease).await;
        if let Err(PushError::Rejected { .. }) = &result {
            let actual = self.pushed_head().await?;
            if actual.as_ref() != expected_remote {
                return Err(PushError::Moved { actual });
            }
        }
        result
    }

    /// Where the task's branch is in the repository.
    pub(crate) async fn pushed_head(&self) -> Result<Option<CommitHash>, PushError> {
        let name = format!("refs/heads/{}", self.branch);
        let address = remote::address(&self.remote).map_err(|detail| PushError::Unreachable { detail })?;
        let listed = remote::list(&self.git, &address, std::slice::from_ref(&name), LIST_TIMEOUT).await;
        let listed = listed.map_err(unreachable)?;
        Ok(listed.into_iter().find(|(_, found)| *found == name).map(|(hash, _)| hash))
    }

    async fn send(&self, force: &str) -> Result<(), PushError> {
        let (transport, address) =
            remote::address(&self.remote).map_err(|detail| PushError::Unreachable { detail })?;
        let output = self
            .repository("push")
            .over(transport)
            .args(["--porcelain", "--no-verify", "--no-follow-tags", "--no-recurse-submodules", force])
            .arg("--")
            .arg(address)
            .arg(format!("{}:refs/heads/{}", self.head, self.branch))
            .limit(1024 * 1024)
            .output()
            .await
            .map_err(unreachable)?;
        if output.code == Some(0) {
            return Ok(());
        }
        // `!<tab>from:to<tab>[rejected] (stale info)`: the repository was there and said no.
        let refusal = String::from_utf8_lossy(&output.stdout)
            .lines()
            .find_map(|line| line.strip_prefix("!\t")?.split_once('\t').map(|(_, why)| why.to_owned()));
        match refusal {
            Some(why) => {
                let reason = if output.stderr.is_empty() { why } else { format!("{why}: {}", output.stderr) };
                Err(PushError::Rejected { reason })
            }
            None => Err(unreachable(GitError {
                operation: "push",
                failure: GitFailure::Exit { code: output.code, stderr: output.stderr },
            })),
        }
    }
}

fn unreachable(error: GitError) -> PushError {
    match mirror::unreachable(error) {
        crate::Error::Git(error) => PushError::Git(error),
        other => PushError::Unreachable { detail: other.to_string() },
    }
}
