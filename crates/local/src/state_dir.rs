//! Where state and fetched programs lie.

use std::{
    env, fs,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{
    account::{Account, own_uid},
    error::{Error, io_error},
};

/// The state directory when none is chosen: `/var/lib/hive` for root (whose home the stores cannot enter),
/// else `$XDG_STATE_HOME/hive` or `~/.local/state/hive`.
#[must_use]
pub fn default_state_dir() -> PathBuf {
    if own_uid() == 0 {
        return "/var/lib/hive".into();
    }
    absolute_variable("XDG_STATE_HOME").unwrap_or_else(|| home().join(".local/state")).join("hive")
}

/// The directory of fetched programs: `HIVE_CACHE`, else `/var/cache/hive` for root, else
/// `$XDG_CACHE_HOME/hive` or `~/.cache/hive`.
#[must_use]
pub fn default_cache_dir() -> PathBuf {
    if let Some(chosen) = env::var_os("HIVE_CACHE").filter(|value| !value.is_empty()) {
        return chosen.into();
    }
    if own_uid() == 0 {
        return "/var/cache/hive".into();
    }
    absolute_variable("XDG_CACHE_HOME").unwrap_or_else(|| home().join(".cache")).join("hive")
}

// The XDG specification says that relative values are to be ignored.
pub(crate) fn absolute_variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn home() -> PathBuf {
    absolute_variable("HOME").unwrap_or_else(|| env::temp_dir().join(format!("hive-home-{}", own_uid())))
}

/// Creates the state directory and returns its one true name. Only we may list it; when the stores run as
/// another user, they may pass through it to their own directories.
pub(crate) fn prepare(state: &Path, account: Account) -> Result<PathBuf, Error> {
    let mode = if account == Account::Ours { 0o700 } else { 0o711 };
    fs::DirBuilder::new().recursive(true).mode(mode).create(state).map_err(io_error("create", state))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "names the directory for the socket hash; no access is decided by it"
    )]
    let state = state.canonicalize().map_err(io_error("find", state))?;
    let meta = fs::metadata(&state).map_err(io_error("look at", &state))?;
    if account != Account::Ours && meta.uid() == own_uid() && meta.mode() & 0o001 == 0 {
        let opened = fs::Permissions::from_mode(meta.mode() & 0o7777 | 0o001);
        fs::set_permissions(&state, opened).map_err(io_error("open", &state))?;
    }
    account.can_reach(&state.join("pg"), "the state directory")?;
    Ok(state)
}
