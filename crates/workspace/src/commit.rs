use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::beneath;
use crate::commit_hash::CommitHash;
use crate::error::Error;
use crate::message::CommitMessage;
use crate::status::{self, Changes};
use crate::walk::{self, Found};
use crate::workspace::{Workspace, parse_hash};

/// The largest file a commit may hold, in bytes: 50 MiB, where GitHub begins to warn ("About large files on
/// GitHub"; it refuses at 100 MiB).
const LARGEST_FILE: u64 = 50 * 1024 * 1024;

/// How many repositories may lie inside each other.
const DEEPEST_REPOSITORIES: usize = 16;

/// The author and committer of all commits; who did the work stands in the trailers.
const NAME: &str = "user.name=Agent Hive";
const EMAIL: &str = "user.email=hive@localhost";

/// A commit that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub hash: CommitHash,
    /// Its tree object.
    pub tree: CommitHash,
    /// How many paths differ from the commit before.
    pub files_changed: usize,
}

/// Something in the tree that a commit left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Relative to the tree; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// Why.
    pub reason: SkippedReason,
}

/// Why a path was left out of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkippedReason {
    /// It is called `.git`: the inside of a repository, never read and never committed.
    GitDirectory,
    /// It lies in the directory of a submodule, whose commit we do not change.
    InSubmodule,
    /// It is a pipe, a socket or a device.
    SpecialFile,
    /// Git refuses its name, for instance `.GIT` or `git~1`.
    ForbiddenName,
}

impl Workspace {
    /// Commits everything in the tree that is not ignored, on the task's branch. `None` when no content
    /// changed. What could not be taken along is in [`Workspace::skipped`] afterwards.
    ///
    /// # Errors
    /// [`Error::FileTooLarge`], [`Error::InvalidMessage`], and what git or the file system reports. The branch
    /// is then as it was; calling again is safe.
    pub async fn commit(&mut self, message: CommitMessage) -> Result<Option<Commit>, Error> {
        let text = message.render()?;
        let found = walk::look(&self.tree, &self.submodules).await?;
        let changes = self.flat_changes().await?;
        self.skipped = passed_over(&found);
        if changes.is_empty() {
            return Ok(None);
        }
        let added: BTreeSet<Vec<u8>> = changes.added.iter().cloned().collect();
        self.stage(changes).await?;

        let tree = self.repository("write-tree").line().await?;
        let tree = parse_hash("write-tree", &tree)?;
        let names = self
            .repository("diff-tree")
            .args(["-r", "-z", "--name-only", "--no-renames"])
            .args([self.head_tree.as_str(), tree.as_str()])
            .run()
            .await?;
        let names: BTreeSet<&[u8]> = names.split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
        for path in added.iter().filter(|path| !names.contains(path.as_slice())) {
            self.skipped.push(Skipped::new(path, SkippedReason::ForbiddenName));
        }
        if tree == self.head_tree {
            return Ok(None);
        }
        let hash = self.record(tree.clone(), text, None).await?;
        let files_changed = names.len();
        Ok(Some(Commit { hash, tree, files_changed }))
    }

    /// A commit of a tree object on top of the branch, of now or of the given time.
    pub(crate) async fn record(
        &mut self,
        tree: CommitHash,
        text: String,
        time: Option<String>,
    ) -> Result<CommitHash, Error> {
        let mut call = self.repository("commit-tree");
        if let Some(time) = time {
            call = call.environment("GIT_AUTHOR_DATE", time.clone()).environment("GIT_COMMITTER_DATE", time);
        }
        let hash = call
            .set(NAME)
            .set(EMAIL)
            .args(["-p", self.head.as_str(), "-F", "-", tree.as_str()])
            .input(text.into_bytes())
            .line()
            .await?;
        let hash = parse_hash("commit-tree", &hash)?;
        // The old value is checked, so a branch that moved under us is an error and not a lost commit.
        self.repository("update-ref")
            .arg(format!("refs/heads/{}", self.branch))
            .args([hash.as_str(), self.head.as_str()])
            .run()
            .await?;
        self.head = hash.clone();
        self.head_tree = tree;
        Ok(hash)
    }

    /// The changes with every repository the agent made inside the tree opened up, so that its files are
    /// committed as plain files instead of a pointer to commits nobody has.
    async fn flat_changes(&self) -> Result<Changes, Error> {
        let mut entries = Vec::new();
        let mut blob = None;
        for _ in 0..DEEPEST_REPOSITORIES {
            let changes = status::read(self).await?;
            if changes.repositories.is_empty() {
                return Ok(changes);
            }
            let blob = match &blob {
                Some(blob) => blob,
                None => blob.insert(self.repository("hash-object").args(["-w", "--stdin"]).line().await?),
            };
            // Git looks into a directory that the index knows, whatever lies in it. The entry names a file
            // that is not there and so leaves the index with the other removals.
            for directory in &changes.repositories {
                entries.extend_from_slice(format!("100644 {blob}\t").as_bytes());
                entries.extend_from_slice(directory);
                entries.extend_from_slice(b"/.hive-look-inside\0");
            }
            self.forget(&changes.removed).await?;
            self.files("update-index")
                .args(["--add", "--replace", "-z", "--index-info"])
                .input(entries.clone())
                .run()
                .await?;
        }
        Err(Error::TooDeep(DEEPEST_REPOSITORIES))
    }

    /// Brings the index to the state of the tree.
    async fn stage(&mut self, mut changes: Changes) -> Result<(), Error> {
        let mut present = Vec::new();
        for path in changes.changed.into_iter().chain(changes.added) {
            match check_file(&self.tree, &path)? {
                Kind::Content => present.push(path),
                Kind::Absent => changes.removed.push(path),
                Kind::Special => {
                    self.skipped.push(Skipped::new(&path, SkippedReason::SpecialFile));
                    changes.removed.push(path);
                }
            }
        }
        self.forget(&changes.removed).await?;
        if !present.is_empty() {
            self.files("update-index")
                .args(["--add", "--replace", "-z", "--stdin"])
                .input(terminated(&present))
                .run()
                .await?;
        }
        Ok(())
    }

    async fn forget(&self, paths: &[Vec<u8>]) -> Result<(), Error> {
        if !paths.is_empty() {
            self.files("update-index")
                .args(["--force-remove", "-z", "--stdin"])
                .input(terminated(paths))
                .run()
                .await?;
        }
        Ok(())
    }
}

impl Skipped {
    fn new(path: &[u8], reason: SkippedReason) -> Self {
        Self { path: String::from_utf8_lossy(path).into_owned(), reason }
    }
}

fn passed_over(found: &Found) -> Vec<Skipped> {
    let metadata = found.metadata.iter().map(|path| Skipped::new(path, SkippedReason::GitDirectory));
    let inside = found.in_submodules.iter().map(|path| Skipped::new(path, SkippedReason::InSubmodule));
    metadata.chain(inside).collect()
}

enum Kind {
    Content,
    Absent,
    Special,
}

/// Looks at a file before git reads it: too large is an error, unreadable for its owner is mended.
fn check_file(tree: &Path, path: &[u8]) -> Result<Kind, Error> {
    let name = Path::new(OsStr::from_bytes(path));
    let whole = tree.join(name);
    let found = match fs::symlink_metadata(&whole) {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Kind::Absent);
        }
        Err(source) => {
            return Err(Error::Io { action: "look at", path: whole, source });
        }
    };
    if found.is_symlink() {
        return Ok(Kind::Content);
    }
    if !found.is_file() {
        return Ok(if found.is_dir() { Kind::Absent } else { Kind::Special });
    }
    if found.len() > LARGEST_FILE {
        return Err(Error::FileTooLarge {
            path: String::from_utf8_lossy(path).into_owned(),
            size: found.len(),
            limit: LARGEST_FILE,
        });
    }
    if std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o400 == 0 {
        beneath::open_root(tree)
            .and_then(|root| beneath::locate(root.as_fd(), name))
            .and_then(|file| beneath::add_mode(file.as_fd(), 0o400))
            .map_err(Error::io("make readable", whole))?;
    }
    Ok(Kind::Content)
}

fn terminated(paths: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for path in paths {
        bytes.extend_from_slice(path);
        bytes.push(0);
    }
    bytes
}
