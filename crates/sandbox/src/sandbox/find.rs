//! Finding the programs the sandbox is made of.

use std::path::{Path, PathBuf};

use crate::config::Bubblewrap;
use crate::error::Unavailable;

const LAUNCHER: &str = "hive-sandbox";

/// The configured launcher, or the one beside this executable or one directory above, where cargo puts it
/// for tests.
pub(super) fn launcher(configured: Option<&Path>) -> Result<PathBuf, Unavailable> {
    if let Some(path) = configured {
        return if path.is_file() {
            Ok(path.to_owned())
        } else {
            Err(Unavailable::NoLauncher(path.to_owned()))
        };
    }
    let beside = std::env::current_exe()
        .ok()
        .and_then(|own| own.parent().map(Path::to_path_buf))
        .ok_or_else(|| Unavailable::NoLauncher(PathBuf::from(LAUNCHER)))?;
    let candidates = [Some(beside.as_path()), beside.parent()].into_iter().flatten();
    candidates
        .map(|directory| directory.join(LAUNCHER))
        .find(|path| path.is_file())
        .ok_or_else(|| Unavailable::NoLauncher(beside.join(LAUNCHER)))
}

/// The bubblewrap binary, or why there is none.
pub(super) fn bubblewrap(wanted: Bubblewrap) -> Result<PathBuf, String> {
    if wanted == Bubblewrap::Never {
        return Err("the configuration forbids it".to_owned());
    }
    ["/usr/bin/bwrap", "/usr/local/bin/bwrap"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| "it is not installed".to_owned())
}
