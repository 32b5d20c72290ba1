//! The arguments that make bubblewrap build a world of its own around the inner stage.

use std::ffi::OsString;
use std::path::Path;

use super::paths;
use super::stage::Stage;

/// Bytes of each file system in memory.
const TMPFS_BYTES: &str = "67108864";

/// Everything up to and including the `--` before the command.
///
/// The tree is a list of what is there, not of what is hidden. Paths keep their names, so that what a
/// program prints or stores is the same with and without bubblewrap.
pub(super) fn arguments(stage: &Stage) -> Vec<OsString> {
    let mut line: Vec<OsString> = [
        "--unshare-user",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--die-with-parent",
        "--new-session",
        "--hostname",
        "sandbox",
    ]
    .map(OsString::from)
    .into();
    for path in paths::SYSTEM.iter().map(Path::new) {
        match path.read_link() {
            Ok(target) => line.extend(["--symlink".into(), target.into(), path.into()]),
            Err(_) => bind(&mut line, "--ro-bind-try", path),
        }
    }
    for path in paths::SETTINGS {
        bind(&mut line, "--ro-bind-try", Path::new(path));
    }
    bind(&mut line, "--ro-bind-try", Path::new("/sys/devices/system/cpu"));
    line.extend(["--proc", "/proc", "--dev", "/dev"].map(OsString::from));
    for path in paths::NAMESPACE_WRITABLE {
        line.extend(["--size", TMPFS_BYTES, "--tmpfs", path].map(OsString::from));
    }
    for path in &stage.order.read_only {
        bind(&mut line, "--ro-bind-try", path);
    }
    for path in [&stage.tmp, &stage.home, &stage.order.workspace] {
        bind(&mut line, "--bind", path);
    }
    let git = stage.order.workspace.join(".git");
    if git.symlink_metadata().is_ok_and(|found| !found.is_symlink()) {
        bind(&mut line, "--ro-bind", &git);
    }
    line.extend(["--remount-ro", "/", "--"].map(OsString::from));
    line
}

fn bind(line: &mut Vec<OsString>, how: &str, path: &Path) {
    line.extend([how.into(), path.into(), path.into()]);
}
