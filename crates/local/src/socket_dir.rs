//! The directory of the unix sockets: short, because a socket's path may hold about a hundred bytes, and
//! closed, because a name in a shared directory can be taken by others.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{
    account::{Account, own_uid},
    error::{Error, io_error},
    state_dir::absolute_variable,
};

/// Bytes of `sun_path` without its closing zero: 107 on Linux, 103 on macOS; the smaller serves both.
const LONGEST_PATH: usize = 103;

/// The longest name that a store creates in the directory: the lock beside Postgres' socket.
const LONGEST_NAME: &str = "/.s.PGSQL.5432.lock";

/// The socket directory of a state directory; it need not exist.
pub(crate) fn of(state: &Path, account: Account) -> PathBuf {
    let hash = hex::encode(&Sha256::digest(state.as_os_str().as_encoded_bytes())[..8]);
    let name = format!("hive-{hash}");
    absolute_variable("XDG_RUNTIME_DIR")
        .map(|base| base.join(&name))
        .filter(|path| fits_a_url(path))
        .filter(|path| path.as_os_str().len() + LONGEST_NAME.len() <= LONGEST_PATH)
        .filter(|path| {
            path.parent().is_some_and(Path::is_dir) && account.can_reach(path, "the sockets").is_ok()
        })
        .unwrap_or_else(|| Path::new("/tmp").join(name))
}

/// Whether a path needs no escaping in a URL, where it ends up.
fn fits_a_url(path: &Path) -> bool {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(byte))
}

/// Creates the directory, or checks that the existing one is ours and closed.
pub(crate) fn prepare(path: &Path, account: Account) -> Result<(), Error> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check(path, account)?,
        Err(error) => return Err(io_error("create", path)(error)),
    }
    account.give(path)?;
    account.can_reach(path, "the sockets")
}

fn check(path: &Path, account: Account) -> Result<(), Error> {
    let unsafe_because = |reason: String| Error::UnsafeSocketDir { path: path.to_owned(), reason };
    // Not `metadata`: a link would show what it points to.
    let meta = fs::symlink_metadata(path).map_err(io_error("look at", path))?;
    if !meta.is_dir() {
        return Err(unsafe_because("it is a link or a file, not a directory".into()));
    }
    // Root's own: a start that was cut between creating the directory and giving it away.
    if meta.uid() != account.uid() && meta.uid() != own_uid() {
        return Err(unsafe_because(format!("it belongs to uid {}, not to {}", meta.uid(), account.uid())));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(unsafe_because(format!("others may enter it (mode {:04o})", meta.mode() & 0o7777)));
    }
    Ok(())
}

/// Removes the directory after the stores have ended. What a killed store left behind goes with it.
pub(crate) fn remove(path: &Path, account: Account) {
    if check(path, account).is_ok()
        && let Err(error) = fs::remove_dir_all(path)
    {
        tracing::warn!(path = %path.display(), %error, "Cannot remove the socket directory");
    }
}
