//! Cut by force: there is nothing that looks whole, and the next one works.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio, time::Duration};

use hive_tests::{TestHive, binary, within};
use serde_json::{Value, json};

use super::{damaged::small, make, restore};

const SOON: Duration = Duration::from_secs(120);

fn entries(root: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_worker_that_dies_over_a_checkpoint_leaves_none_and_the_next_one_is_whole() {
    let (mut hive, first) = small().await;
    let root = hive.path("checkpoints");
    fs::remove_dir_all(&first).unwrap();
    // The export comes to this table and no further.
    let mut held = hive.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE task_messages IN ACCESS EXCLUSIVE MODE").execute(&mut *held).await.unwrap();
    let (status, asked) = hive.post("/api/v1/system/checkpoint", &json!({})).await;
    assert_eq!(status, 202, "{asked:#}");
    let id = asked["id"].as_str().unwrap().to_owned();
    let making = root.join(format!(".{id}.making"));
    within(SOON, "the export is in the middle", async || {
        making.join("tables/task_messages.copy").exists().then_some(())
    })
    .await;
    let (status, refused) = hive.post("/api/v1/system/checkpoint", &json!({})).await;
    assert_eq!((status, &refused["code"]), (409, &json!("checkpoint_running")), "{refused:#}");
    assert!(refused["detail"].as_str().unwrap().contains(&id), "{refused:#}");
    hive.workers[0].kill9();
    held.rollback().await.unwrap();
    assert_eq!(entries(&root), [format!(".{id}.making")], "nothing looks whole");
    let complaint = hive.complains(1, &["checkpoint", "verify", making.to_str().unwrap()]).await;
    assert!(complaint.contains("manifest.json is missing"), "{complaint}");

    hive.start_worker().await;
    let failed = within(SOON, "the lost one is given up", async || {
        let shown = hive.get(&format!("/api/v1/system/checkpoints/{id}")).await;
        (shown["status"] == "failed").then_some(shown)
    })
    .await;
    assert_eq!(failed["error"], "the worker that made it fell silent");
    let (made, directory) = make(&hive).await;
    hive.says(&["checkpoint", "verify", directory.to_str().unwrap()]).await;
    within(SOON, "the remains are gone", async || {
        (entries(&root) == [made["directory"].as_str().unwrap()]).then_some(())
    })
    .await;
}

/// A program `git` that comes to a fetch and no further, until it is let go and fails.
fn stuck_git(hive: &TestHive) -> std::path::PathBuf {
    let directory = hive.path("stuck");
    fs::create_dir(&directory).unwrap();
    let place = directory.display();
    let script = format!(
        "#!/bin/sh\nfor argument in \"$@\"; do\n  if [ \"$argument\" = fetch ]; then\n    touch {place}/reached\n    \
         while [ ! -e {place}/go ]; do sleep 0.05; done\n    touch {place}/gone\n    exit 1\n  fi\ndone\n\
         PATH=/usr/local/bin:/usr/bin:/bin exec git \"$@\"\n"
    );
    fs::write(directory.join("git"), script).unwrap();
    fs::set_permissions(directory.join("git"), PermissionsExt::from_mode(0o755)).unwrap();
    directory
}

#[tokio::test]
async fn a_restore_that_is_killed_leaves_nothing_and_the_next_one_works() {
    let (mut hive, directory) = small().await;
    let lost = hive.lose_everything().await;
    let arguments = restore(&hive, &directory);
    let stuck = stuck_git(&hive);
    let path = format!("{}:{}", stuck.display(), std::env::var("PATH").unwrap());
    let mut restoring = tokio::process::Command::new(binary("hive"))
        .args(&arguments)
        .env("DATABASE_URL", &hive.store_urls()[0])
        .env("PATH", path)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    within(SOON, "all rows are loaded, and the first repository is under way", async || {
        stuck.join("reached").exists().then_some(())
    })
    .await;
    let arguments = arguments.each_ref().map(String::as_str);
    let complaint = hive.complains(1, &arguments).await;
    assert!(complaint.contains("somebody else is restoring"), "{complaint}");
    restoring.kill().await.unwrap();
    fs::write(stuck.join("go"), "").unwrap();
    within(SOON, "git has gone", async || stuck.join("gone").exists().then_some(())).await;
    assert!(!hive.path("repos/shop").exists());
    let restored = within(SOON, "the dead one's connection is gone", async || {
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM tasks").fetch_one(&hive.pool).await.ok()?;
        assert_eq!(rows, 0, "nothing of it is there");
        let output = hive.command(&[&["--json"], &arguments[..]].concat()).await;
        output.status.success().then(|| serde_json::from_slice::<Value>(&output.stdout).unwrap())
    })
    .await;
    assert_eq!(restored["repositories"].as_array().unwrap().len(), 1);
    assert_eq!(entries(&hive.path("repos")), ["shop"], "the half repository is gone");
    let shop = |place: std::path::PathBuf| hive_tests::Repo { path: place }.git(&["show-ref"]);
    assert_eq!(shop(hive.path("repos/shop")), shop(lost.join("shop")));
    hive.start_api().await;
    assert_eq!(hive.get("/api/v1/tasks").await["items"].as_array().unwrap().len(), 1);
}
