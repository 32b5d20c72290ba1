//! Opening paths below a directory handle, so that a symbolic link cannot lead out of it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// A handle that names `path` without opening it for reading; enough to look at it and to change its mode.
const LOCATE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Opens the directory `path`, following links: for roots that the owner configured or we made.
pub(crate) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, LOCATE | OFlags::DIRECTORY, Mode::empty())?)
}

/// Finds `relative` below `root`. Links that stay below the root are followed, others are an error
/// (`EXDEV`, or `ELOOP` on kernels without `openat2`, where no link is followed at all).
pub(crate) fn locate(root: BorrowedFd<'_>, relative: &Path) -> io::Result<OwnedFd> {
    if relative.as_os_str().is_empty() {
        return root.try_clone_to_owned();
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match openat2(root, relative, LOCATE, Mode::empty(), resolve) {
        Err(Errno::NOSYS) => locate_without_links(root, relative),
        other => Ok(other?),
    }
}

fn locate_without_links(root: BorrowedFd<'_>, relative: &Path) -> io::Result<OwnedFd> {
    let mut at = root.try_clone_to_owned()?;
    for component in relative.components() {
        match component {
            Component::Normal(name) => {
                at = openat(&at, name, LOCATE | OFlags::NOFOLLOW, Mode::empty())?;
                if is_link(at.as_fd())? {
                    return Err(Errno::LOOP.into());
                }
            }
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(Errno::XDEV.into());
            }
        }
    }
    Ok(at)
}

/// Whether the handle names a symbolic link itself.
pub(crate) fn is_link(at: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(at)?.st_mode).is_symlink())
}

/// The path that the handle names at this moment, free of links.
pub(crate) fn real_path(at: BorrowedFd<'_>) -> io::Result<PathBuf> {
    fs::read_link(through_proc(at))
}

/// Adds permission bits to exactly the inode behind the handle.
pub(crate) fn add_mode(at: BorrowedFd<'_>, bits: u32) -> io::Result<()> {
    let mode = rustix::fs::fstat(at)?.st_mode & 0o7777;
    if mode & bits != bits {
        use std::os::unix::fs::PermissionsExt;
        // A located handle cannot be given to fchmod; its magic link names the same inode without a race.
        fs::set_permissions(through_proc(at), fs::Permissions::from_mode(mode | bits))?;
    }
    Ok(())
}

fn through_proc(at: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", at.as_raw_fd()))
}
