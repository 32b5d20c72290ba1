//! A uid of its own for each run of a worker that is root.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::kernel;
use crate::config::UidRange;

/// A uid that no other launcher uses while this value lives.
#[derive(Debug)]
pub(super) struct UidSlot {
    pub uid: u32,
    /// The kernel lifts the lock when the launcher ends, however it ends.
    _lock: File,
}

impl UidSlot {
    /// Takes a free uid, `preferred` if it can be had, and ends what an earlier run may have left behind.
    pub(super) fn take(range: UidRange, lock_dir: &Path, preferred: u32) -> Result<Self, String> {
        if range.count == 0 || range.first == 0 || range.first.checked_add(range.count).is_none() {
            return Err(format!("the uid range {}+{} is empty or contains root", range.first, range.count));
        }
        open_lock_dir(lock_dir).map_err(|error| format!("{}: {error}", lock_dir.display()))?;
        let first = if range.contains(preferred) { preferred - range.first } else { 0 };
        for offset in 0..range.count {
            let uid = range.first + (first + offset) % range.count;
            let path = lock_dir.join(uid.to_string());
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(libc::O_NOFOLLOW)
                .open(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            match kernel::lock(&file, libc::LOCK_EX | libc::LOCK_NB) {
                Ok(()) => {
                    kernel::kill_all_of(uid).map_err(|error| {
                        format!("root may not become uid {uid} ({error}); allow CAP_SETUID and CAP_SETGID, choose mapped uids, or run the worker as a normal user")
                    })?;
                    return Ok(Self { uid, _lock: file });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(format!("{}: {error}", path.display())),
            }
        }
        Err(format!("all {} uids of the range are in use; raise the count", range.count))
    }
}

/// The directory must be root's alone, else others could hold or remove the locks.
fn open_lock_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = path.symlink_metadata()?;
    if found.is_dir() && found.uid() == kernel::effective_uid() && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(io::Error::other("is not a directory that only root may write to"))
}
