//! Visiting every entry below a directory without following a link, however deep.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::vec::IntoIter;

use crate::at;

/// Directories inside each other that are kept open, which makes the walk indifferent to renames. Below
/// that, where only a tree made to hide something reaches, the way back up is `..`, and is checked.
const KEPT_OPEN: usize = 256;

const DIRECTORY: libc::c_int = libc::O_RDONLY | libc::O_DIRECTORY;

/// Whether the walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Go {
    On,
    /// Not into this entry.
    Past,
    Stop,
}

/// An entry that is visited.
pub(super) struct Visited<'a> {
    /// The directory it lies in.
    pub directory: BorrowedFd<'a>,
    pub name: &'a OsStr,
    /// 1 for the entries of the root.
    pub depth: usize,
    pub stat: &'a libc::stat,
}

/// Calls `visit` for each entry below `root`. Entries that vanish meanwhile are passed over; so are other
/// file systems.
pub(super) fn walk(root: BorrowedFd<'_>, visit: impl FnMut(Visited<'_>) -> io::Result<Go>) -> io::Result<()> {
    walk_around(root, visit, |_, _| Ok(()))
}

/// As [`walk`], and calls `leave` for each directory that was gone into, after all that lies in it.
pub(super) fn walk_around(
    root: BorrowedFd<'_>,
    mut visit: impl FnMut(Visited<'_>) -> io::Result<Go>,
    mut leave: impl FnMut(BorrowedFd<'_>, &OsStr) -> io::Result<()>,
) -> io::Result<()> {
    let device = at::stat_open(root)?.st_dev;
    let mut open = vec![Level::new(OsString::new(), root.try_clone_to_owned()?)?];
    while let Some(level) = open.last_mut() {
        let Some(name) = level.names.next() else {
            let done = open.pop();
            if let Some((done, parent)) = done.zip(open.last_mut()) {
                parent.reopen_from(&done)?;
                if let Some(parent) = &parent.directory {
                    leave(parent.as_fd(), &done.name)?;
                }
            }
            continue;
        };
        let depth = open.len();
        let Some(directory) = open.last().and_then(|level| level.directory.as_ref()) else {
            continue;
        };
        let Some(stat) = present(at::stat_entry(directory.as_fd(), &name))? else {
            continue;
        };
        match visit(Visited { directory: directory.as_fd(), name: &name, depth, stat: &stat })? {
            Go::Stop => return Ok(()),
            Go::Past => continue,
            Go::On => {}
        }
        if stat.st_mode & libc::S_IFMT != libc::S_IFDIR || stat.st_dev != device {
            continue;
        }
        if let Some(below) = present(at::open_entry(directory.as_fd(), &name, DIRECTORY, 0))? {
            let below = Level::new(name, below)?;
            if depth > KEPT_OPEN
                && let Some(level) = open.last_mut()
            {
                level.directory = None;
            }
            open.push(below);
        }
    }
    Ok(())
}

struct Level {
    name: OsString,
    directory: Option<OwnedFd>,
    identity: (libc::dev_t, libc::ino_t),
    names: IntoIter<OsString>,
}

impl Level {
    fn new(name: OsString, directory: OwnedFd) -> io::Result<Self> {
        let stat = at::stat_open(directory.as_fd())?;
        let names = at::names(directory.as_fd())?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            name,
            directory: Some(directory),
            identity: (stat.st_dev, stat.st_ino),
            names: names.into_iter(),
        })
    }

    fn reopen_from(&mut self, child: &Self) -> io::Result<()> {
        let (None, Some(child)) = (&self.directory, &child.directory) else {
            return Ok(());
        };
        let parent = at::open_entry(child.as_fd(), OsStr::new(".."), DIRECTORY, 0)?;
        let stat = at::stat_open(parent.as_fd())?;
        if (stat.st_dev, stat.st_ino) != self.identity {
            return Err(io::Error::other("a very deep directory was moved meanwhile"));
        }
        self.directory = Some(parent);
        Ok(())
    }
}

/// What was removed, replaced or closed to us between listing and looking is no error.
fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::EACCES) => Ok(None),
            _ => Err(error),
        },
    }
}
