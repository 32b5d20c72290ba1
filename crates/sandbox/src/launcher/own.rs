//! Handing the workspace to the uid of the run; the rules are in the documentation of the crate.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use super::walk::{Go, Visited, walk};
use crate::at;
use crate::config::UidRange;
use crate::wire::Order;

/// Sticky: what root owns in the workspace directory itself, such as `.git`, the command cannot replace.
const ROOT_MODE: u32 = 0o1770;

/// Paths that no workspace holds. A caller that names one of them, or a directory above, has made a mistake
/// that would take the machine's files away from their owners.
const NEVER_INSIDE: &[&str] = &[
    "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/opt", "/proc", "/root", "/run", "/sbin", "/srv",
    "/sys", "/tmp", "/usr", "/var/lib", "/var/tmp",
];

/// Why this directory must not change hands, if it must not: it is shared, it is somebody else's, or it holds
/// more than a workspace.
pub(super) fn unfit(workspace: &File, order: &Order) -> io::Result<Option<String>> {
    let found = workspace.metadata()?;
    if found.mode() & 0o002 != 0 {
        return Ok(Some("everyone may write to it, so it is shared".to_owned()));
    }
    if found.uid() != 0 && !order.uid_range.contains(found.uid()) {
        return Ok(Some(format!("it belongs to uid {}", found.uid())));
    }
    let launcher = std::fs::read_link("/proc/self/exe")?;
    let ours = [order.scratch.as_path(), order.lock_dir.as_path(), launcher.as_path()];
    for path in NEVER_INSIDE.iter().map(Path::new).chain(ours) {
        let holds = path.ancestors().any(|above| {
            above.metadata().is_ok_and(|above| (above.dev(), above.ino()) == (found.dev(), found.ino()))
        });
        if holds {
            return Ok(Some(format!("it holds {}", path.display())));
        }
    }
    Ok(None)
}

/// Gives everything below the workspace to `uid` that belongs to root or to the range. Nobody else may be
/// using the workspace, and [`unfit`] must have found nothing.
pub(super) fn hand_over(workspace: &File, uid: u32, range: UidRange) -> io::Result<()> {
    walk(workspace.as_fd(), |Visited { directory, name, depth, stat }| {
        if depth == 1 && name == ".git" {
            return Ok(Go::Past);
        }
        // A link made from outside must not give away the file it shares.
        let shared = stat.st_mode & libc::S_IFMT != libc::S_IFDIR && stat.st_nlink > 1;
        let ours = range.contains(stat.st_uid);
        let foreign = !ours && (shared || stat.st_uid != 0);
        if !foreign && (stat.st_uid, stat.st_gid) != (uid, uid) {
            at::chown_entry(directory, name, uid, uid)?;
        }
        Ok(Go::On)
    })?;
    fchown(workspace, Some(0), Some(uid))?;
    workspace.set_permissions(Permissions::from_mode(ROOT_MODE))
}

/// The uid that used the workspace last, if a uid of the sandbox did: nothing has to change hands for it.
pub(super) fn last_uid(workspace: &Path) -> u32 {
    workspace.symlink_metadata().map_or(0, |found| found.gid())
}

/// The directory that keeps `uid` from reaching `path`, if one does, by its permission bits.
pub(super) fn barrier(path: &Path, uid: u32) -> Option<&Path> {
    path.ancestors()
        .skip(1)
        .find(|parent| parent.metadata().is_ok_and(|found| found.mode() & 0o001 == 0 && found.uid() != uid))
}
