//! What stands on the task's branch at the repository, and who put it there.

use crate::commit_hash::CommitHash;
use crate::error::Error;
use crate::mirror;
use crate::push::PushError;
use crate::remote;
use crate::workspace::Workspace;

impl Workspace {
    /// Whether a commit on the task's branch at the repository carries `trailer` with `value`, as this task's own do.
    ///
    /// # Errors
    /// The repository does not answer, or git fails.
    pub async fn pushed_carries(
        &self,
        commit: &CommitHash,
        trailer: &str,
        value: &str,
    ) -> Result<bool, Error> {
        self.fetch_branch().await?;
        let format = format!("--format=%(trailers:key={trailer},valueonly)");
        let found =
            self.repository("log").args(["--max-count=1", &format, commit.as_str(), "--"]).line().await?;
        Ok(found.trim() == value)
    }

    /// Goes on from what a person pushed on top of the task's own work: when the branch at the repository descends
    /// from the head, it becomes the head. Returns the new head; `None` when there is nothing to adopt.
    ///
    /// # Errors
    /// The repository does not answer, or git fails.
    pub async fn adopt_pushed(&mut self) -> Result<Option<CommitHash>, Error> {
        let pushed = self.pushed_head().await.map_err(|error| match error {
            PushError::Git(error) => Error::Git(error),
            other => Error::Unreachable { detail: other.to_string() },
        })?;
        let Some(pushed) = pushed.filter(|pushed| pushed != self.head()) else { return Ok(None) };
        self.fetch_branch().await?;
        let ours = self.head().as_str().to_owned();
        let between = format!("{pushed}..{ours}");
        // Nothing of ours that the branch does not have: it descends from the head.
        let missing = self.repository("rev-list").args(["--max-count=1", &between, "--"]).line().await?;
        if !missing.trim().is_empty() {
            return Ok(None);
        }
        self.reset(&pushed).await?;
        Ok(Some(pushed))
    }

    /// Whether the branch at the repository holds every commit of ours.
    pub(crate) async fn is_part_of_pushed(&self) -> Result<bool, Error> {
        self.fetch_branch().await?;
        let beyond = format!("refs/remote/{}..{}", self.branch, self.head);
        let missing = self.repository("rev-list").args(["--max-count=1", &beyond, "--"]).line().await?;
        Ok(missing.trim().is_empty())
    }

    async fn fetch_branch(&self) -> Result<(), Error> {
        let address = remote::address(&self.remote).map_err(|detail| Error::Unreachable { detail })?;
        remote::fetch(&self.git, &self.directory, &address)
            .arg(format!("+refs/heads/{0}:refs/remote/{0}", self.branch))
            .run()
            .await
            .map_err(mirror::unreachable)?;
        Ok(())
    }
}
