//! On one machine, the Postgres of a state directory is started for a restore alone.

use std::{fs, path::Path};

use super::{damaged::small, restore};

#[tokio::test]
async fn a_checkpoint_is_restored_into_a_state_directory() {
    let (hive, directory) = small().await;
    let repos = hive.path("repos");
    fs::rename(&repos, hive.path("lost")).unwrap();
    fs::create_dir(&repos).unwrap();
    let state = hive.path("state");
    let arguments = restore(&hive, &directory);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let here = [&arguments[..], &["--state", state.to_str().unwrap()]].concat();
    let both = hive.complains(2, &[&here[..], &["--database-url", "postgres://x"]].concat()).await;
    assert!(both.contains("--state"), "{both}");

    let told = hive.says(&here).await;
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("restored ") && lines[1].starts_with("made file://"), "{told}");
    assert!(repos.join("shop").is_dir());
    // Nothing of it is left running, and the rows stay: they are in the way of another restore.
    let postgres = fs::read_to_string(state.join("postgres.pid")).unwrap();
    assert!(!Path::new("/proc").join(postgres.trim()).exists());
    let again = hive.complains(1, &here).await;
    assert!(again.contains("empty"), "{again}");
}
