//! A walk over the tree that no symbolic link can lead out of it and no permission bit can stop.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;

use crate::beneath;
use crate::error::Error;

/// How deep directories may be nested; each level holds one file handle.
const DEEPEST: usize = 128;

/// What git will not see or must not see, paths relative to the tree.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Entries called `.git`.
    pub(crate) metadata: Vec<Vec<u8>>,
    /// Submodule paths that hold something.
    pub(crate) in_submodules: Vec<Vec<u8>>,
}

/// Lists what git passes over in silence. Directories their owner may not read are made readable.
pub(crate) async fn look(tree: &Path, submodules: &BTreeSet<Vec<u8>>) -> Result<Found, Error> {
    walk(tree, submodules, false).await
}

/// Removes every `.git`, every symbolic link and the contents of submodules, and gives the owner back the
/// right to read and change everything else. Git can then reset it, link by link; with a link in the place of
/// a directory it would find the files behind the link unchanged.
pub(crate) async fn clear(tree: &Path, submodules: &BTreeSet<Vec<u8>>) -> Result<(), Error> {
    walk(tree, submodules, true).await.map(drop)
}

/// Deletes a directory with all it holds.
pub(crate) async fn delete(directory: PathBuf) -> Result<(), Error> {
    blocking(directory, |directory| {
        let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else {
            return Err(Failure::Io(Errno::INVAL.into()));
        };
        let name = CString::new(name.as_encoded_bytes()).map_err(|_| Failure::Io(Errno::INVAL.into()))?;
        let parent = beneath::open_root(parent).map_err(Failure::Io)?;
        delete_entry(parent.as_fd(), &name, 0)
    })
    .await
}

enum Failure {
    Io(io::Error),
    TooDeep,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

async fn walk(tree: &Path, submodules: &BTreeSet<Vec<u8>>, clear: bool) -> Result<Found, Error> {
    let submodules = submodules.clone();
    blocking(tree.to_owned(), move |tree| {
        let root = beneath::open_root(tree).map_err(Failure::Io)?;
        let mut walk = Walk { submodules, clear, found: Found::default() };
        if let Some(top) = open(root.as_fd(), c".", walk.bits())? {
            walk.visit(top, &mut Vec::new(), 0)?;
        }
        Ok(walk.found)
    })
    .await
}

async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&Path) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Error> {
    let place = path.clone();
    let done = tokio::task::spawn_blocking(move || work(&path)).await;
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Failure::TooDeep)) => Err(Error::TooDeep(DEEPEST)),
        Ok(Err(Failure::Io(source))) => Err(Error::Io { action: "walk", path: place, source }),
        Err(lost) => Err(Error::Io { action: "walk", path: place, source: io::Error::other(lost) }),
    }
}

struct Walk {
    submodules: BTreeSet<Vec<u8>>,
    clear: bool,
    found: Found,
}

impl Walk {
    /// The rights the owner needs on directories: to look, or to change as well.
    fn bits(&self) -> u32 {
        if self.clear { 0o700 } else { 0o500 }
    }

    fn visit(&mut self, mut directory: Dir, path: &mut Vec<u8>, depth: usize) -> Result<(), Failure> {
        if depth > DEEPEST {
            return Err(Failure::TooDeep);
        }
        let mut below = Vec::new();
        let mut links = Vec::new();
        let mut metadata = false;
        while let Some(entry) = directory.read() {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let kind = kind_of(directory.fd()?, name, entry.file_type())?;
            if name == c".git" {
                metadata = true;
            } else if kind.is_dir() || self.submodules.contains(&joined(path, name)) {
                below.push((name.to_owned(), kind));
            } else if self.clear && kind.is_symlink() {
                links.push(name.to_owned());
            } else if self.clear && kind.is_file() {
                give_back_file(directory.fd()?, name)?;
            }
        }
        if metadata {
            self.found.metadata.push(joined(path, c".git"));
            if self.clear {
                delete_entry(directory.fd()?, c".git", depth)?;
            }
        }
        for link in links {
            gone(unlinkat(directory.fd()?, &link, AtFlags::empty()))?;
        }
        for (name, kind) in below {
            let child_path = joined(path, &name);
            if self.submodules.contains(&child_path) {
                self.visit_submodule(directory.fd()?, &name, kind, child_path, depth)?;
            } else if let Some(child) = open(directory.fd()?, &name, self.bits())? {
                let length = path.len();
                *path = child_path;
                self.visit(child, path, depth + 1)?;
                path.truncate(length);
            }
        }
        Ok(())
    }

    fn visit_submodule(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        kind: FileType,
        path: Vec<u8>,
        depth: usize,
    ) -> Result<(), Failure> {
        let holds_something = match kind {
            FileType::Directory => match open(parent, name, self.bits())? {
                Some(mut directory) => has_entries(&mut directory)?,
                None => false,
            },
            _ => true,
        };
        if holds_something {
            self.found.in_submodules.push(path);
            if self.clear {
                delete_entry(parent, name, depth)?;
            }
        }
        Ok(())
    }
}

/// Opens a directory for reading, after giving its owner the rights in `bits`. None if it is gone by now.
fn open(parent: BorrowedFd<'_>, name: &CStr, bits: u32) -> Result<Option<Dir>, Failure> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found: OwnedFd = match openat(parent, name, flags | OFlags::PATH, Mode::empty()) {
        Ok(found) => found,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    beneath::add_mode(found.as_fd(), bits).map_err(Failure::Io)?;
    let readable = openat(&found, c".", flags | OFlags::RDONLY, Mode::empty())?;
    Ok(Some(Dir::new(readable)?))
}

fn has_entries(directory: &mut Dir) -> Result<bool, Failure> {
    while let Some(entry) = directory.read() {
        let entry = entry?;
        if entry.file_name() != c"." && entry.file_name() != c".." {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The entry's kind; some file systems do not tell it with the name.
fn kind_of(directory: BorrowedFd<'_>, name: &CStr, told: FileType) -> Result<FileType, Failure> {
    if told != FileType::Unknown {
        return Ok(told);
    }
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode)),
        Err(Errno::NOENT) => Ok(FileType::Unknown),
        Err(error) => Err(error.into()),
    }
}

fn give_back_file(directory: BorrowedFd<'_>, name: &CStr) -> Result<(), Failure> {
    let stat = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if stat.st_mode & 0o600 == 0o600 {
        return Ok(());
    }
    let file = openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    if beneath::is_link(file.as_fd()).map_err(Failure::Io)? {
        return Ok(());
    }
    beneath::add_mode(file.as_fd(), 0o600).map_err(Failure::Io)
}

fn delete_entry(parent: BorrowedFd<'_>, name: &CStr, depth: usize) -> Result<(), Failure> {
    if depth > DEEPEST {
        return Err(Failure::TooDeep);
    }
    if let Some(mut directory) = open(parent, name, 0o700)? {
        let mut names = Vec::new();
        while let Some(entry) = directory.read() {
            let entry = entry?;
            if entry.file_name() != c"." && entry.file_name() != c".." {
                names.push(entry.file_name().to_owned());
            }
        }
        for child in names {
            delete_entry(directory.fd()?, &child, depth + 1)?;
        }
        return gone(unlinkat(parent, name, AtFlags::REMOVEDIR));
    }
    gone(unlinkat(parent, name, AtFlags::empty()))
}

fn gone(result: Result<(), Errno>) -> Result<(), Failure> {
    match result {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn joined(path: &[u8], name: &CStr) -> Vec<u8> {
    let mut whole = path.to_vec();
    if !whole.is_empty() {
        whole.push(b'/');
    }
    whole.extend_from_slice(name.to_bytes());
    whole
}
