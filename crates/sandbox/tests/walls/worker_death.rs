use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::fixture::{Place, alive, eventually, marker, worker};

/// Row 40: nothing outlives a worker that is killed, not even what hid in sessions of its own.
#[tokio::test]
async fn killing_the_worker_leaves_nothing() {
    for flag in [Some("--no-bubblewrap"), None] {
        let place = Place::new();
        let scratch = place.path().join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        let marker = marker();
        let line = format!(
            "setsid nohup bash -c 'trap \"\" TERM HUP; sleep 1000; : {marker}' & echo up > up; sleep 1000; : {marker}"
        );
        let mut victim = Command::new(worker())
            .args(flag)
            .arg(&place.workspace)
            .args(["bash", "-c", &line])
            .env("HIVE_LAUNCHER", env!("CARGO_BIN_EXE_hive-sandbox"))
            .env("TMPDIR", &scratch)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let up = place.workspace.join("up");
        // The worker itself carries the marker in its arguments too.
        eventually("the run is up", Duration::from_secs(20), || up.exists() && alive(&marker) >= 3).await;
        victim.kill().unwrap();
        assert_eq!(victim.wait().unwrap().signal(), Some(libc::SIGKILL));
        eventually("all processes are dead", Duration::from_secs(10), || alive(&marker) == 0).await;
        eventually("temporary files are gone", Duration::from_secs(10), || {
            std::fs::read_dir(&scratch).unwrap().count() == 0
        })
        .await;
    }
}
