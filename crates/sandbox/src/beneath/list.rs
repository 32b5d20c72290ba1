//! Listing what lies below a directory.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::{AccessError, Beneath, check_relative, tidy};
use crate::at;

/// One file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path, relative to the root.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes, as it appears; a sparse file occupies less.
    pub size: u64,
    /// Its permission bits.
    pub mode: u32,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, of a listing only; the other calls follow it or refuse.
    Link,
    /// A pipe, socket or device.
    Other,
}

impl Entry {
    pub(super) fn new(path: PathBuf, stat: &libc::stat) -> Self {
        let kind = match stat.st_mode & libc::S_IFMT {
            libc::S_IFREG => Kind::File,
            libc::S_IFDIR => Kind::Directory,
            libc::S_IFLNK => Kind::Link,
            _ => Kind::Other,
        };
        Self { path, kind, size: u64::try_from(stat.st_size).unwrap_or(0), mode: stat.st_mode & 0o7777 }
    }
}

/// The entries found, and whether there are more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Nearest first; within a directory by name.
    pub entries: Vec<Entry>,
    /// Whether `max` cut the list.
    pub truncated: bool,
}

impl Beneath {
    /// Lists a directory, `depth` levels deep (1 for its own entries only), `max` entries at most. Links are
    /// listed and not followed. A directory that vanishes meanwhile or cannot be read is listed without its
    /// content.
    ///
    /// # Errors
    /// As the kinds of [`AccessError`] say, for `path` itself.
    pub fn list(&self, path: &Path, depth: usize, max: usize) -> Result<Listing, AccessError> {
        check_relative(path)?;
        let mut entries = Vec::new();
        let mut waiting = VecDeque::from([(tidy(path), 1)]);
        while let Some((directory, level)) = waiting.pop_front() {
            let found = match self.entries_of(&directory) {
                Ok(found) => found,
                Err(source) if level == 1 => return Err(AccessError::from_io(path, source)),
                Err(_) => continue,
            };
            for entry in found {
                if entries.len() == max {
                    return Ok(Listing { entries, truncated: true });
                }
                if entry.kind == Kind::Directory && level < depth {
                    waiting.push_back((entry.path.clone(), level + 1));
                }
                entries.push(entry);
            }
        }
        Ok(Listing { entries, truncated: false })
    }

    fn entries_of(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let fd = at::open_beneath(self.root.as_fd(), directory, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
        let mut names = at::names(fd.as_fd())?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        // An entry that is gone by now is not there.
        Ok(names
            .into_iter()
            .filter_map(|name| {
                let stat = at::stat_entry(fd.as_fd(), &name).ok()?;
                Some(Entry::new(directory.join(name), &stat))
            })
            .collect())
    }
}
