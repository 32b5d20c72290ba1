use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::fixture::{Place, run, worker};

const CANARY: &str = "canary-8d1f0c";

/// Row 13.
#[tokio::test]
async fn secrets_of_the_machine_are_out_of_reach() {
    let place = Place::new();
    // A careless owner's home: everyone may read it, only a wall keeps it.
    let home = place.path().join("home");
    for name in [".ssh/id_ed25519", ".aws/credentials"] {
        let file = home.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, CANARY).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    }
    let line = format!(
        "cat /etc/shadow {home}/.ssh/* {home}/.ssh/id_ed25519 {home}/.aws/credentials ~/.ssh/* ~/.aws/credentials /etc/hostname; ls -A ~",
        home = home.display()
    );
    for sandbox in place.sandboxes().await {
        let output = run(&sandbox, &place.shell(&line)).await;
        assert_eq!(output.stdout.text(), "");
        assert!(!output.stderr.text().contains(CANARY));
    }
}

/// Rows 14 and 36.
#[tokio::test]
async fn the_environment_of_the_worker_is_out_of_reach() {
    let place = Place::new();
    let line = "env; cat /proc/self/environ /proc/*/environ /proc/*/task/*/environ 2>/dev/null; echo end";
    for flag in [Some("--no-bubblewrap"), None] {
        let output = Command::new(worker())
            .args(flag)
            .arg(&place.workspace)
            .args(["bash", "-c", line])
            .env("HIVE_LAUNCHER", env!("CARGO_BIN_EXE_hive-sandbox"))
            .env("ANTHROPIC_API_KEY", CANARY)
            .env("LD_PRELOAD_NOT", CANARY)
            .env("BASH_ENV", "/nonexistent/canary")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("TMPDIR=") && said.ends_with("end\n"), "{said}");
        assert!(!said.contains(CANARY) && !said.contains("BASH_ENV"), "{said}");
        let mut names: Vec<&str> =
            said.split(['\n', '\0']).filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names, ["HOME", "LANG", "PATH", "PWD", "SHELL", "SHLVL", "TERM", "TMPDIR", "USER", "_"]);
    }
}

/// Row 15.
#[tokio::test]
async fn other_processes_are_out_of_sight() {
    let place = Place::new();
    let own = std::process::id();
    let name = std::env::current_exe().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    for sandbox in place.sandboxes().await {
        let line = format!(
            "cat /proc/*/cmdline /proc/{own}/cmdline /proc/{own}/status; kill -0 {own} && echo rea''ched"
        );
        let output = run(&sandbox, &place.shell(&line)).await;
        let said = output.stdout.text();
        assert!(!said.contains(&name), "{said}");
        assert!(!said.contains("reached"));
    }
}

/// Rows 19 and 28: nothing is inherited but the three standard streams, and nothing can be gained.
#[tokio::test]
async fn no_descriptor_and_no_privilege_is_inherited() {
    let place = Place::new();
    let script = "
import os, ctypes
libc = ctypes.CDLL(None)
for fd in range(3, 256):
    try: os.fstat(fd); print('open', fd)
    except OSError: pass
print('nnp', libc.prctl(39, 0, 0, 0, 0), 'root', os.getuid() == 0 or os.geteuid() == 0, 'groups', 0 in os.getgroups())
";
    for sandbox in place.sandboxes().await {
        let output = run(&sandbox, &place.python(script)).await;
        assert_eq!(output.stdout.text(), "nnp 1 root False groups False\n");
    }
}
