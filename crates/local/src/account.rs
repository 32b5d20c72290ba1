//! The user that the stores run as. Postgres refuses to run as root, so root hands both stores to another.

use std::{
    ffi::CStr,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use crate::error::{Error, io_error};

/// Accounts that root hands the stores to, in this order.
const CANDIDATES: [&CStr; 3] = [c"hive", c"postgres", c"nobody"];

/// `nobody` on a system without account names.
const NOBODY: u32 = 65534;

/// The user that the stores run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// We are an ordinary user, and so are the stores.
    Ours,
    /// We are root and drop to this one.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// The account for the process we are.
    pub(crate) fn for_stores() -> Self {
        if own_uid() != 0 {
            return Self::Ours;
        }
        CANDIDATES.iter().find_map(|name| by_name(name)).unwrap_or(Self::Other { uid: NOBODY, gid: NOBODY })
    }

    /// The uid of the stores.
    pub(crate) fn uid(self) -> u32 {
        match self {
            Self::Ours => own_uid(),
            Self::Other { uid, .. } => uid,
        }
    }

    /// Gives a file or directory to the stores.
    pub(crate) fn give(self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Ours => Ok(()),
            Self::Other { uid, gid } => {
                chown(path, Some(uid), Some(gid)).map_err(io_error("give away", path))
            }
        }
    }

    /// Creates a directory that only the stores (and root) may enter.
    pub(crate) fn private_dir(self, path: &Path) -> Result<(), Error> {
        fs::create_dir_all(path).map_err(io_error("create", path))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io_error("close", path))?;
        self.give(path)
    }

    /// Fails with the first parent of `path` that the stores may not pass.
    pub(crate) fn can_reach(self, path: &Path, what: &'static str) -> Result<(), Error> {
        let Self::Other { uid, gid } = self else {
            return Ok(());
        };
        for directory in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            let meta = fs::metadata(directory).map_err(io_error("look at", directory))?;
            let bit = if meta.uid() == uid {
                0o100
            } else if meta.gid() == gid {
                0o010
            } else {
                0o001
            };
            if meta.mode() & bit == 0 {
                return Err(Error::Blocked { directory: directory.to_owned(), uid, what });
            }
        }
        Ok(())
    }
}

/// Our effective uid.
pub(crate) fn own_uid() -> u32 {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

fn by_name(name: &CStr) -> Option<Account> {
    let mut buffer = [0; 4096];
    // SAFETY: an all-zero passwd is a valid value: integers and null pointers.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    // SAFETY: name is a C string, entry and buffer live through the call, and the length is the buffer's.
    let answer = unsafe {
        libc::getpwnam_r(name.as_ptr(), &raw mut entry, buffer.as_mut_ptr(), buffer.len(), &raw mut found)
    };
    // Root under another name would not help.
    (answer == 0 && !found.is_null() && entry.pw_uid != 0)
        .then_some(Account::Other { uid: entry.pw_uid, gid: entry.pw_gid })
}
