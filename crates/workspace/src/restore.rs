use crate::commit_hash::CommitHash;
use crate::error::Error;
use crate::message::CommitMessage;
use crate::workspace::{Workspace, tree_of};

impl Workspace {
    /// Brings back the files of the commit `to` by a new commit on top of the branch, so that its history only grows. The
    /// tree is exactly that afterwards, as after [`Workspace::reset`]. `None`: the branch holds these files already, and
    /// only what was not committed is gone.
    ///
    /// The commit has the time of the one below it: whoever does the same again, with the same message, makes the same
    /// commit.
    ///
    /// # Errors
    /// [`Error::MissingCommit`] when the task's repository has no such commit, [`Error::InvalidMessage`], and what git or
    /// the file system reports. Calling again is safe.
    pub async fn restore(
        &mut self,
        to: &CommitHash,
        message: CommitMessage,
    ) -> Result<Option<CommitHash>, Error> {
        let text = message.render()?;
        let tree = tree_of(&self.git, &self.directory, to).await?;
        let commit = if tree == self.head_tree {
            None
        } else {
            let time = ["-s", "--no-show-signature", "--format=%cI", self.head.as_str()];
            let time = self.repository("show").args(time).line().await?;
            Some(self.record(tree, text, Some(time)).await?)
        };
        let head = self.head.clone();
        self.reset(&head).await?;
        Ok(commit)
    }
}
