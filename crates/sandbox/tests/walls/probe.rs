use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use hive_sandbox::{Config, Sandbox, Unavailable};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::fixture::{Place, is_root, worker};

#[tokio::test]
async fn without_a_launcher_there_is_no_sandbox() {
    let place = Place::new();
    let missing = place.path().join("no-launcher");
    let config = Config { launcher: Some(missing.clone()), ..place.config() };
    let refused = Sandbox::probe(config).await.unwrap_err();
    assert!(matches!(&refused, Unavailable::NoLauncher(path) if *path == missing), "{refused}");
}

#[tokio::test]
async fn a_launcher_that_tests_nothing_is_not_trusted() {
    let place = Place::new();
    let silent = place.path().join("launcher");
    std::fs::write(&silent, "#!/bin/sh\nexit 0\n").unwrap();
    std::fs::set_permissions(&silent, PermissionsExt::from_mode(0o755)).unwrap();
    let config = Config { launcher: Some(silent), ..place.config() };
    let refused = Sandbox::probe(config).await.unwrap_err();
    assert!(matches!(refused, Unavailable::Broken { .. }), "{refused}");
}

/// A container profile that does not know a call answers `ENOSYS`; the same is done here to a whole worker.
#[tokio::test]
async fn a_missing_wall_is_named_and_nothing_runs() {
    for (call, wall) in [(libc::SYS_landlock_create_ruleset, "landlock"), (libc::SYS_seccomp, "seccomp")] {
        let refused = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
        let arch = std::env::consts::ARCH.try_into().unwrap();
        let rules = [(call, vec![])].into();
        let filter: BpfProgram =
            SeccompFilter::new(rules, SeccompAction::Allow, refused, arch).unwrap().try_into().unwrap();
        let place = Place::new();
        let mut command = Command::new(worker());
        command.arg(&place.workspace).args(["touch", "ran"]);
        command.env("HIVE_LAUNCHER", env!("CARGO_BIN_EXE_hive-sandbox"));
        // SAFETY: applying the filter only makes system calls on memory prepared before the fork.
        unsafe {
            command.pre_exec(move || {
                seccompiler::apply_filter(&filter).map_err(|_| std::io::ErrorKind::Other.into())
            });
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(said.contains(&format!("`{wall}` does not stand")), "{said}");
        assert!(!place.workspace.join("ran").exists());
    }
}

/// Uids that cannot be had are a missing wall, not a reason to run as root.
#[tokio::test]
async fn root_never_runs_a_command_as_root() {
    if !is_root() {
        println!("skipped: not root");
        return;
    }
    let place = Place::new();
    for range in [(0, 10), (2_000_000, 0)] {
        let uid_range = hive_sandbox::UidRange { first: range.0, count: range.1 };
        let refused = Sandbox::probe(Config { uid_range, ..place.config() }).await.unwrap_err();
        assert!(matches!(&refused, Unavailable::Missing { wall, .. } if wall == "uid"), "{refused}");
    }
}

#[tokio::test]
async fn the_level_says_what_stands() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let level = sandbox.level();
        assert!(level.to_string().starts_with("landlock+seccomp+rlimits"), "{level}");
        assert_eq!(level.to_string().contains("bubblewrap"), level.bubblewrap);
        assert_eq!(level.private_uid, is_root());
    }
    assert_eq!(place.unconfined().await.level().to_string(), "off");
}
