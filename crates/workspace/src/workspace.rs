use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::call::Call;
use crate::commit::Skipped;
use crate::commit_hash::CommitHash;
use crate::error::Error;
use crate::git::Git;
use crate::git_error::GitError;
use crate::remote;
use crate::repository_url::RepositoryUrl;
use crate::slot::Slot;
use crate::status;
use crate::workspaces::Workspaces;

/// The files of one task, held by one run of it until dropped.
#[derive(Debug)]
pub struct Workspace {
    pub(crate) git: Arc<Git>,
    pub(crate) root: Arc<Path>,
    pub(crate) slot: Slot,
    pub(crate) remote: RepositoryUrl,
    pub(crate) task: String,
    pub(crate) branch: String,
    pub(crate) base: CommitHash,
    pub(crate) head: CommitHash,
    pub(crate) head_tree: CommitHash,
    pub(crate) tree: PathBuf,
    pub(crate) directory: PathBuf,
    /// Submodule paths; the base decides them, and no commit of ours moves one.
    pub(crate) submodules: BTreeSet<Vec<u8>>,
    pub(crate) skipped: Vec<Skipped>,
}

impl Workspace {
    pub(crate) async fn new(
        git: Arc<Git>,
        root: Arc<Path>,
        slot: Slot,
        remote: RepositoryUrl,
        task: &str,
        base: CommitHash,
        head: CommitHash,
    ) -> Result<Self, Error> {
        let (tree, directory) = (slot.tree(), slot.git_directory());
        let head_tree = tree_of(&git, &directory, &head).await?;
        let listing = git
            .call("ls-tree")
            .in_repository(&directory)
            .args(["-r", "-z", "--full-tree", head.as_str()])
            .run()
            .await?;
        Ok(Self {
            git,
            root,
            slot,
            remote,
            task: task.to_owned(),
            branch: Workspaces::branch(task),
            base,
            head,
            head_tree,
            tree,
            directory,
            submodules: submodules(&listing),
            skipped: Vec::new(),
        })
    }

    /// The directory the agent works in. It has no `.git`.
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// The branch, without `refs/heads/`.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// The commit the task began with.
    pub fn base(&self) -> &CommitHash {
        &self.base
    }

    /// The last commit of the task, its base before the first.
    pub fn head(&self) -> &CommitHash {
        &self.head
    }

    /// The tree object of [`Workspace::head`]: equal hashes mean equal files.
    pub fn tree_hash(&self) -> &CommitHash {
        &self.head_tree
    }

    /// What the last [`Workspace::commit`] saw in the tree and could not take along.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Whether the tree holds nothing that the next commit would take.
    ///
    /// # Errors
    /// What git reports.
    pub async fn is_clean(&self) -> Result<bool, Error> {
        let changes = status::read(self).await?;
        Ok(changes.is_empty())
    }

    /// A call on this task's repository alone.
    pub(crate) fn repository(&self, operation: &'static str) -> Call<'_> {
        self.git.call(operation).in_repository(&self.directory)
    }

    /// A call on this task's repository and files. The git directory is a bare one for everybody else.
    pub(crate) fn files(&self, operation: &'static str) -> Call<'_> {
        self.repository(operation).on_tree(&self.tree).set("core.bare=false")
    }
}

/// The tree object of a commit.
pub(crate) async fn tree_of(git: &Git, directory: &Path, commit: &CommitHash) -> Result<CommitHash, Error> {
    let [tree] = remote::lookup(git, directory, [format!("{commit}^{{tree}}")]).await?;
    tree.ok_or_else(|| Error::MissingCommit { hash: commit.clone() })
}

/// The paths of mode 160000 in a `ls-tree -z` listing.
fn submodules(listing: &[u8]) -> BTreeSet<Vec<u8>> {
    listing
        .split(|byte| *byte == 0)
        .filter(|entry| entry.starts_with(b"160000 "))
        .filter_map(|entry| entry.iter().position(|byte| *byte == b'\t').map(|tab| entry[tab + 1..].to_vec()))
        .collect()
}

/// A call that failed in a way only a defect of ours explains.
pub(crate) fn parse_hash(operation: &'static str, text: &str) -> Result<CommitHash, GitError> {
    CommitHash::parse(text)
        .map_err(|_| GitError::unreadable(operation, text.chars().take(80).collect::<String>()))
}
