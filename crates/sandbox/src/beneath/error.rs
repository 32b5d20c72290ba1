//! Why a path below the root could not be used. Each message is fit for the model to read.

use std::io;
use std::path::{Path, PathBuf};

/// Why a path could not be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The path is absolute, has `..`, or a link on it leads out of the root.
    #[error("{} leads outside of the workspace; use a path relative to the workspace", .0.display())]
    OutsideWorkspace(PathBuf),
    /// There is no such file or directory.
    #[error("{} does not exist", .0.display())]
    NotFound(PathBuf),
    /// A file was wanted.
    #[error("{} is a directory", .0.display())]
    IsDirectory(PathBuf),
    /// A directory was wanted.
    #[error("{} is not a directory, or a part of its path is not", .0.display())]
    NotADirectory(PathBuf),
    /// A device, pipe or socket, which is neither read nor written.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Writing would replace a link.
    #[error("{} is a symbolic link; write to the file it points to", .0.display())]
    IsLink(PathBuf),
    /// Git's own files are not written through file access.
    #[error("{} belongs to git and is not written", .0.display())]
    Protected(PathBuf),
    /// The file has more bytes than were asked for at most.
    #[error("{} has {size} bytes, more than {max}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The most that was asked for, in bytes.
        max: u64,
    },
    /// What else the operating system says.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl AccessError {
    pub(super) fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.raw_os_error() {
            // ELOOP also stands for a cycle of links, which leads nowhere inside either.
            Some(libc::EXDEV | libc::ELOOP) => Self::OutsideWorkspace(path),
            Some(libc::ENOENT) => Self::NotFound(path),
            Some(libc::EISDIR) => Self::IsDirectory(path),
            Some(libc::ENOTDIR) => Self::NotADirectory(path),
            Some(libc::ENXIO) => Self::NotAFile(path),
            _ => Self::Io { path, source },
        }
    }
}
