//! What differs between the tree and the last commit, as `git status` sees it.

use crate::git_error::GitError;
use crate::workspace::Workspace;

/// The mode git shows for a path that is not there.
const ABSENT: &[u8] = b"000000";
/// The mode of a submodule, or of a repository that sits where a file was.
const REPOSITORY: &[u8] = b"160000";

/// Paths relative to the tree, as bytes: a file name need not be UTF-8.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Known to git, gone from the tree.
    pub(crate) removed: Vec<Vec<u8>>,
    /// Known to git and changed.
    pub(crate) changed: Vec<Vec<u8>>,
    /// New files.
    pub(crate) added: Vec<Vec<u8>>,
    /// New directories that are git repositories themselves; git does not look into them.
    pub(crate) repositories: Vec<Vec<u8>>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.removed.is_empty()
            && self.changed.is_empty()
            && self.added.is_empty()
            && self.repositories.is_empty()
    }
}

/// Compares the tree with the last commit. Submodules are left alone: looking into one would run git with a
/// configuration that the agent may have written.
pub(crate) async fn read(workspace: &Workspace) -> Result<Changes, GitError> {
    let listing = workspace
        .files("status")
        .args(["--porcelain=v2", "-z", "--untracked-files=all", "--ignore-submodules=all", "--no-renames"])
        .run()
        .await?;
    let mut changes = Changes::default();
    for entry in listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        sort_in(&mut changes, entry)
            .ok_or_else(|| GitError::unreadable("status", String::from_utf8_lossy(entry)))?;
    }
    Ok(changes)
}

/// `1 XY sub mH mI mW hH hI path` for a known path, `? path` for a new one.
fn sort_in(changes: &mut Changes, entry: &[u8]) -> Option<()> {
    if let Some(path) = entry.strip_prefix(b"? ") {
        match path.strip_suffix(b"/") {
            Some(directory) => changes.repositories.push(directory.to_vec()),
            None => changes.added.push(path.to_vec()),
        }
        return Some(());
    }
    let mut fields = entry.splitn(9, |byte| *byte == b' ');
    if fields.next()? != b"1" {
        return None;
    }
    let in_tree = fields.nth(4)?;
    let path = fields.nth(2)?.to_vec();
    if in_tree == ABSENT || in_tree == REPOSITORY {
        changes.removed.push(path);
    } else {
        changes.changed.push(path);
    }
    Some(())
}
