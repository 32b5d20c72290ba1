//! Files below a directory whose content is not trusted.

mod error;
mod list;
mod write;

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

pub use error::AccessError;
pub use list::{Entry, Kind, Listing};

use crate::at;

/// A directory, and access to what lies below it and nowhere else.
///
/// The kernel resolves each path beneath the open directory in one call, so a link that is swapped in between
/// leads nowhere. Links that stay inside are followed. Absolute paths and `..` are refused.
///
/// The calls block; an async caller uses `spawn_blocking`.
#[derive(Debug)]
pub struct Beneath {
    root: OwnedFd,
}

impl Beneath {
    /// Opens the directory.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] or [`AccessError::Io`] when it is not an accessible directory.
    pub fn open(root: &Path) -> Result<Self, AccessError> {
        let root = at::open_root(root).map_err(|source| AccessError::from_io(root, source))?;
        Ok(Self { root })
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// [`AccessError::TooLarge`] when it has more than `max_bytes`; the other kinds as their names say.
    pub fn read(&self, path: &Path, max_bytes: u64) -> Result<Vec<u8>, AccessError> {
        check_relative(path)?;
        // Without O_NONBLOCK the open of a pipe nobody writes to would never return.
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
        let fd = at::open_beneath(self.root.as_fd(), path, flags, 0)
            .map_err(|source| AccessError::from_io(path, source))?;
        let entry = self.entry_of(&fd, path)?;
        match entry.kind {
            Kind::File => {}
            Kind::Directory => return Err(AccessError::IsDirectory(path.to_owned())),
            Kind::Link | Kind::Other => return Err(AccessError::NotAFile(path.to_owned())),
        }
        let too_large = |size| AccessError::TooLarge { path: path.to_owned(), size, max: max_bytes };
        if entry.size > max_bytes {
            return Err(too_large(entry.size));
        }
        let mut bytes = Vec::new();
        File::from(fd)
            .take(max_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|source| AccessError::from_io(path, source))?;
        // The file may have grown since it was measured.
        if bytes.len() as u64 > max_bytes {
            return Err(too_large(bytes.len() as u64));
        }
        Ok(bytes)
    }

    /// What is known of a file or directory; links that stay inside are followed.
    ///
    /// # Errors
    /// As the kinds of [`AccessError`] say.
    pub fn metadata(&self, path: &Path) -> Result<Entry, AccessError> {
        check_relative(path)?;
        let fd = at::open_beneath(self.root.as_fd(), path, libc::O_PATH, 0)
            .map_err(|source| AccessError::from_io(path, source))?;
        self.entry_of(&fd, path)
    }

    #[expect(clippy::unused_self, reason = "an entry belongs to the root its path is relative to")]
    fn entry_of(&self, fd: &OwnedFd, path: &Path) -> Result<Entry, AccessError> {
        let stat = at::stat_open(fd.as_fd()).map_err(|source| AccessError::from_io(path, source))?;
        Ok(Entry::new(path.to_owned(), &stat))
    }
}

/// Refuses what cannot be a path below the root, before the kernel sees it.
fn check_relative(path: &Path) -> Result<(), AccessError> {
    for component in path.components() {
        match component {
            Component::Normal(_) | Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(AccessError::OutsideWorkspace(path.to_owned()));
            }
        }
    }
    Ok(())
}

/// The path without `.` and doubled separators.
fn tidy(path: &Path) -> PathBuf {
    path.components().filter(|component| matches!(component, Component::Normal(_))).collect()
}
