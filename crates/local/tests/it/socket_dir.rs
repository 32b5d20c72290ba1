//! The socket directory has a name that others can guess, in a directory that others may write.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::process::{hive_stores, is_root, passable_dir};

/// A state, and the runtime directory in which its socket directory lies.
struct Ground {
    runtime: TempDir,
    state: TempDir,
}

impl Ground {
    fn new() -> Self {
        Self { runtime: passable_dir(), state: passable_dir() }
    }

    /// Starts the stores for a moment; returns where the sockets were, or what was said instead.
    fn start(&self) -> Result<PathBuf, String> {
        let state = self.state.path().to_str().unwrap();
        let script = r#"echo "$HIVE_TEST_DATABASE_URL""#;
        let output = hive_stores(&["--state", state, "--", "sh", "-c", script])
            .env("XDG_RUNTIME_DIR", self.runtime.path())
            .output()
            .unwrap();
        if !output.status.success() {
            return Err(String::from_utf8(output.stderr).unwrap());
        }
        let url = String::from_utf8(output.stdout).unwrap();
        Ok(url.trim().split_once("host=").unwrap().1.into())
    }
}

fn is_refused(ground: &Ground, reason: &str) {
    let said = ground.start().unwrap_err();
    assert!(said.contains("is not safe as a socket directory") && said.contains(reason), "{said}");
}

#[test]
fn one_that_is_not_ours_alone_is_refused() {
    let ground = Ground::new();
    let sockets = ground.start().unwrap();
    assert_eq!(sockets.parent(), Some(ground.runtime.path()));
    assert!(!sockets.exists(), "it is removed at the end");

    let elsewhere = ground.runtime.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o700)).unwrap();
    symlink(&elsewhere, &sockets).unwrap();
    is_refused(&ground, "it is a link");
    fs::remove_file(&sockets).unwrap();

    fs::create_dir(&sockets).unwrap();
    fs::set_permissions(&sockets, fs::Permissions::from_mode(0o755)).unwrap();
    is_refused(&ground, "others may enter it (mode 0755)");

    fs::set_permissions(&sockets, fs::Permissions::from_mode(0o700)).unwrap();
    if is_root() {
        chown(&sockets, Some(12345), Some(12345)).unwrap();
        is_refused(&ground, "it belongs to uid 12345");
        chown(&sockets, Some(0), Some(0)).unwrap();
    }

    // One that a killed start left behind, with a dead socket in it.
    fs::write(sockets.join("redis.sock"), "").unwrap();
    ground.start().unwrap();
    assert!(!sockets.exists());
}

#[test]
fn a_runtime_directory_too_long_for_a_socket_is_passed_over() {
    let long = passable_dir();
    let runtime = long.path().join("x".repeat(90));
    fs::create_dir(&runtime).unwrap();
    let ground = Ground::new();
    let state = ground.state.path().to_str().unwrap();
    let output = hive_stores(&["--state", state, "--", "sh", "-c", r#"echo "$HIVE_TEST_DATABASE_URL""#])
        .env("XDG_RUNTIME_DIR", &runtime)
        .output()
        .unwrap();
    let url = String::from_utf8(output.stdout).unwrap();
    assert_eq!(Path::new(url.trim().split_once("host=").unwrap().1).parent(), Some(Path::new("/tmp")));
}
