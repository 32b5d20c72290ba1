//! The private `TMPDIR` and `HOME` of a run.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::walk::{Go, walk_around};
use crate::at;

/// Directories that exist for one run and are removed when this value is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    pub root: PathBuf,
}

impl Scratch {
    /// Makes the directories under a name that cannot be guessed and must not exist yet.
    pub(super) fn make(parent: &Path, owner: Option<u32>) -> io::Result<Self> {
        let mut random = [0u8; 16];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let root = parent.join(format!("hive-run-{:032x}", u128::from_ne_bytes(random)));
        // The uid of the run passes through, and owns only what lies inside.
        DirBuilder::new().mode(0o711).create(&root)?;
        let scratch = Self { root };
        for directory in [scratch.tmp(), scratch.home()] {
            DirBuilder::new().mode(0o700).create(&directory)?;
            if let Some(uid) = owner {
                chown(&directory, Some(uid), Some(uid))?;
            }
        }
        Ok(scratch)
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(super) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// What only the self-test needs: a workspace, and a file outside of it that nothing but a wall protects.
    pub(super) fn add_self_test(&self, owner: Option<u32>) -> io::Result<()> {
        let workspace = self.workspace();
        DirBuilder::new().mode(0o700).create(&workspace)?;
        if let Some(uid) = owner {
            chown(&workspace, Some(uid), Some(uid))?;
        }
        std::fs::write(self.outside(), "outside\n")?;
        std::fs::set_permissions(self.outside(), Permissions::from_mode(0o666))
    }

    pub(super) fn workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }

    pub(super) fn outside(&self) -> PathBuf {
        self.root.join("outside")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let removed = empty(&self.root).and_then(|()| std::fs::remove_dir(&self.root));
        if let Err(error) = removed {
            eprintln!("hive-sandbox: {} stays behind: {error}", self.root.display());
        }
    }
}

/// Removes all that a command left, which may be nested deeper than a recursion can go, in directories it took
/// its own permissions from.
fn empty(root: &Path) -> io::Result<()> {
    let directory = at::open_root(root)?;
    walk_around(
        directory.as_fd(),
        |entry| {
            if entry.stat.st_mode & libc::S_IFMT != libc::S_IFDIR {
                at::remove_entry(entry.directory, entry.name, 0)?;
                return Ok(Go::Past);
            }
            if entry.stat.st_mode & 0o700 != 0o700 {
                at::make_accessible(entry.directory, entry.name)?;
            }
            Ok(Go::On)
        },
        |parent, name| at::remove_entry(parent, name, libc::AT_REMOVEDIR),
    )
}
