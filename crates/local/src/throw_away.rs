//! Stores in a temporary directory, for tests: no fsync, removed at the end.

use std::{
    env, fs,
    ops::{Deref, DerefMut},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    account::{Account, own_uid},
    error::{Error, io_error},
    hold::Hold,
    socket_dir,
    stores::{Stores, StoresConfig},
};

const PREFIX: &str = "hive-stores-";

/// A directory younger than this may belong to a start that has not taken its lock yet.
const SETTLED: Duration = Duration::from_secs(60);

/// Stores that vanish with their data when this is dropped.
#[derive(Debug)]
pub struct ThrowAway {
    // Before the directory, so that they have ended when it is removed.
    stores: Stores,
    _directory: TempDir,
}

impl ThrowAway {
    /// Starts what is wanted in a new temporary directory.
    ///
    /// # Errors
    /// As [`Stores::start`].
    pub fn start(want_postgres: bool, want_redis: bool) -> Result<Self, Error> {
        sweep();
        let private = fs::Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir();
        let directory = directory.map_err(io_error("create a directory in", env::temp_dir()))?;
        let config =
            StoresConfig { durable: false, want_postgres, want_redis, ..StoresConfig::new(directory.path()) };
        Ok(Self { stores: Stores::start(&config)?, _directory: directory })
    }
}

impl Deref for ThrowAway {
    type Target = Stores;

    fn deref(&self) -> &Stores {
        &self.stores
    }
}

impl DerefMut for ThrowAway {
    fn deref_mut(&mut self) -> &mut Stores {
        &mut self.stores
    }
}

/// Removes what killed test runs left behind: directories of ours that nobody holds.
fn sweep() {
    for entry in fs::read_dir(env::temp_dir()).into_iter().flatten().flatten() {
        let path = entry.path();
        let named = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
        let settled = entry.metadata().is_ok_and(|meta| {
            // Anybody may put such a name into a shared directory.
            meta.uid() == own_uid()
                && meta.is_dir()
                && meta.modified().is_ok_and(|time| time.elapsed().is_ok_and(|age| age > SETTLED))
        });
        if named && settled && is_abandoned(&path) {
            let account = Account::for_stores();
            socket_dir::remove(&socket_dir::of(&path, account), account);
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::debug!(path = %path.display(), %error, "Cannot remove an abandoned test directory");
            }
        }
    }
}

fn is_abandoned(state: &Path) -> bool {
    let free = |name: &str| matches!(Hold::try_take(&state.join(name)), Ok(Some(_)));
    state.join("lock").is_file() && ["lock", "postgres.pid", "redis.pid"].into_iter().all(free)
}

/// What [`clean_at_exit`] keeps; the lock protects it from two exits at once.
static AT_EXIT: Mutex<Vec<ThrowAway>> = Mutex::new(Vec::new());

/// Keeps throw-away stores until the process exits, and stops and removes them then. A kill of the process
/// still ends the stores; their directory is removed by a later start.
pub fn clean_at_exit(stores: ThrowAway) {
    AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner).push(stores);
    // SAFETY: the function is a plain `extern "C"` one without arguments that never unwinds past its frame
    // (a panic aborts). Registering it twice is harmless: the second run finds nothing.
    let registered = unsafe { libc::atexit(clean) };
    if registered != 0 {
        tracing::warn!("Throw-away stores will not be removed at exit");
    }
}

extern "C" fn clean() {
    let kept = std::mem::take(&mut *AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner));
    drop(kept);
}
