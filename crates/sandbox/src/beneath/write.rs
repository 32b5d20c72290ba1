//! Writing a file below the root, whole or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{AccessError, Beneath, check_relative, tidy};
use crate::at;

const DIRECTORY: libc::c_int = libc::O_RDONLY | libc::O_DIRECTORY;

impl Beneath {
    /// Writes a file and makes the directories it needs. Readers see the old content or the new one, never a
    /// part. A file that exists keeps its permission bits and owner; a new one is 0644 and belongs to the
    /// owner of its directory. The content is not forced to disk: git holds what must last.
    ///
    /// # Errors
    /// [`AccessError::IsLink`] instead of replacing a link, [`AccessError::Protected`] below any `.git`; the
    /// other kinds as their names say.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), AccessError> {
        check_relative(path)?;
        let tidy = tidy(path);
        if tidy.components().any(|part| part.as_os_str().eq_ignore_ascii_case(".git")) {
            return Err(AccessError::Protected(path.to_owned()));
        }
        let (Some(parent), Some(name)) = (tidy.parent(), tidy.file_name()) else {
            return Err(AccessError::IsDirectory(path.to_owned()));
        };
        let directory = self.make_directories(parent).map_err(|source| AccessError::from_io(path, source))?;
        let old = match at::stat_entry(directory.as_fd(), name) {
            Ok(stat) => Some(stat),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(AccessError::from_io(path, source)),
        };
        match old.map(|stat| stat.st_mode & libc::S_IFMT) {
            None | Some(libc::S_IFREG) => {}
            Some(libc::S_IFDIR) => return Err(AccessError::IsDirectory(path.to_owned())),
            Some(libc::S_IFLNK) => return Err(AccessError::IsLink(path.to_owned())),
            Some(_) => return Err(AccessError::NotAFile(path.to_owned())),
        }
        replace(directory.as_fd(), name, old.as_ref(), bytes)
            .map_err(|source| AccessError::from_io(path, source))
    }

    fn make_directories(&self, path: &Path) -> io::Result<OwnedFd> {
        let mut so_far = PathBuf::new();
        let mut directory = at::open_beneath(self.root.as_fd(), &so_far, DIRECTORY, 0)?;
        for part in path.components() {
            so_far.push(part);
            directory = match at::open_beneath(self.root.as_fd(), &so_far, DIRECTORY, 0) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    make_owned_directory(directory.as_fd(), part.as_os_str())?;
                    at::open_beneath(self.root.as_fd(), &so_far, DIRECTORY, 0)?
                }
                other => other?,
            };
        }
        Ok(directory)
    }
}

fn make_owned_directory(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match at::make_dir(parent, name, 0o755) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        other => other?,
    }
    let (made, owner) = (at::stat_entry(parent, name)?, at::stat_open(parent)?);
    if (made.st_uid, made.st_gid) != (owner.st_uid, owner.st_gid) {
        at::chown_entry(parent, name, owner.st_uid, owner.st_gid)?;
    }
    Ok(())
}

fn replace(
    directory: BorrowedFd<'_>,
    name: &OsStr,
    old: Option<&libc::stat>,
    bytes: &[u8],
) -> io::Result<()> {
    let temporary = temporary_name()?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
    let mut file = File::from(at::open_entry(directory, &temporary, flags, 0o600)?);
    let written = (|| {
        file.write_all(bytes)?;
        let (uid, gid, mode) = match old {
            Some(old) => (old.st_uid, old.st_gid, old.st_mode & 0o777),
            None => {
                let parent = at::stat_open(directory)?;
                (parent.st_uid, parent.st_gid, 0o644)
            }
        };
        let own = at::stat_open(file.as_fd())?;
        if (own.st_uid, own.st_gid) != (uid, gid) {
            keep_owner(&file, uid, gid)?;
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        at::rename_entry(directory, &temporary, name)
    })();
    if written.is_err() {
        // The first error is the one to report; a temporary file left behind harms nothing.
        at::remove_entry(directory, &temporary, 0).ok();
    }
    written
}

/// Only root may give files away; for others the file is theirs, which is all they can have.
fn keep_owner(file: &File, uid: u32, gid: u32) -> io::Result<()> {
    match std::os::unix::fs::fchown(file, Some(uid), Some(gid)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

fn temporary_name() -> io::Result<OsString> {
    let mut random = [0u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(OsString::from(format!(".hive-{:032x}.tmp", u128::from_ne_bytes(random))))
}
