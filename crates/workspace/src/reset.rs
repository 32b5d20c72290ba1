use std::fs;

use crate::commit_hash::CommitHash;
use crate::error::Error;
use crate::git_error::GitFailure;
use crate::walk;
use crate::workspace::{Workspace, tree_of};

impl Workspace {
    /// Makes the tree exactly what the commit `to` holds, and `to` the head of the branch. Untracked and
    /// ignored files, planted `.git` directories and forbidding permissions are gone afterwards. A tree that
    /// git cannot put in order is set aside and checked out anew.
    ///
    /// # Errors
    /// [`Error::MissingCommit`] when the task's repository has no such commit, and what git or the file
    /// system reports.
    pub async fn reset(&mut self, to: &CommitHash) -> Result<(), Error> {
        let tree = tree_of(&self.git, &self.directory, to).await?;
        match self.reset_in_place(to).await {
            Ok(()) => {}
            Err(Error::Git(error)) if !matches!(error.failure, GitFailure::Exit { .. }) => {
                return Err(error.into());
            }
            Err(error) => {
                tracing::warn!(task.id = %self.task, error = %error, "The tree resists a reset, making a new one");
                self.set_tree_aside().await?;
                self.check_out(to).await?;
            }
        }
        self.head = to.clone();
        self.head_tree = tree;
        self.skipped.clear();
        Ok(())
    }

    /// The first check-out after opening.
    pub(crate) async fn start(&mut self, fresh: bool) -> Result<(), Error> {
        let head = self.head.clone();
        if fresh { self.check_out(&head).await } else { self.reset(&head).await }
    }

    async fn reset_in_place(&self, to: &CommitHash) -> Result<(), Error> {
        walk::clear(&self.tree, &self.submodules).await?;
        self.check_out(to).await?;
        self.files("clean").args(["-ffdxq"]).run().await?;
        Ok(())
    }

    async fn check_out(&self, to: &CommitHash) -> Result<(), Error> {
        self.files("reset").args(["--hard", "--quiet", "--no-recurse-submodules", to.as_str()]).run().await?;
        Ok(())
    }

    async fn set_tree_aside(&self) -> Result<(), Error> {
        let aside = (0..1000)
            .map(|n| self.slot.directory().join(format!("discarded-{n}")))
            .find(|path| !path.exists())
            .ok_or(Error::TooDeep(1000))?;
        fs::rename(&self.tree, &aside).map_err(Error::io("set aside", &self.tree))?;
        fs::create_dir(&self.tree).map_err(Error::io("create", &self.tree))?;
        if let Err(error) = walk::delete(aside).await {
            tracing::warn!(task.id = %self.task, error = %error, "A discarded tree could not be deleted");
        }
        Ok(())
    }
}
