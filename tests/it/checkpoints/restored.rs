//! What is restored onto nothing is what was.

use std::{path::Path, time::Duration};

use hive_tests::{Repo, branch};
use serde_json::json;

use super::{
    crawl::{crawl, differences},
    life::{Life, builder, quick},
    make, restore,
};

fn references(repo: &Repo) -> String {
    repo.git(&["show-ref"])
}

#[tokio::test]
async fn a_restored_deployment_answers_everything_as_the_original_and_goes_on() {
    let mut hive = builder().start().await;
    let life = Life::of(&mut hive).await;
    // Nobody decides anything between the checkpoint and the look at the original.
    hive.schedulers[0].ask_to_end();
    hive.schedulers[0].ends(Duration::from_secs(60)).await;
    let (made, directory) = make(&hive).await;
    hive.workers[0].kill9();
    let before = crawl(&hive).await;
    assert!(before.len() > 60, "there is something of everything: {:?}", before.keys());
    let refused: Vec<&String> =
        before.iter().filter(|(_, text)| !text.starts_with("200")).map(|(path, _)| path).collect();
    assert!(refused.iter().all(|path| path.ends_with("/diff")), "{refused:?}");
    let kept = references(&life.repo);
    let head = life.repo.git(&["symbolic-ref", "HEAD"]);

    let lost = hive.lose_everything().await;
    let digest = made["manifest_sha256"].as_str().unwrap();
    let arguments = restore(&hive, &directory);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--digest", digest]).collect();
    let restored = hive.says_json(&arguments).await;
    assert_eq!(restored["rows"], made["state"]["rows"], "{restored:#}");
    assert_eq!(references(&life.repo), kept);
    assert_eq!(life.repo.git(&["symbolic-ref", "HEAD"]), head);
    life.repo.git(&["fsck", "--full", "--strict"]);
    assert_eq!(references(&Repo { path: lost.join("shop") }), kept);

    hive.start_api().await;
    let after = crawl(&hive).await;
    let told = hive.get("/api/v1/events?kind=checkpoint.restored").await;
    assert_eq!(told["items"].as_array().unwrap().len(), 1, "the restore is told: {told}");
    let differences = differences(&before, &after);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    weeks(&hive).await;

    // It goes on where it was: the lease of the lost worker is over, and its task is taken up by another.
    hive.double.set_script(Some(quick()));
    hive.launch_scheduler().await;
    hive.start_worker().await;
    let task = hive.wait_succeeded(life.running, 180).await;
    assert_eq!(task["result"]["summary"], "Went on to its end.", "{task:#}");
    assert_eq!(life.repo.file(&branch(life.running), "begun"), "1\n");
    let write = json!({ "title": "Write", "agent_type": "backend", "repository": life.repo.json() });
    let id = hive.post_task(write).await;
    hive.wait_succeeded(id, 180).await;
    hive.says(&["verify", "--all"]).await;
    // Keys and triggers are what they were: the next checkpoint is as whole.
    let (_, next) = make(&hive).await;
    hive.says(&["checkpoint", "verify", next.to_str().unwrap()]).await;
    assert!(is_private(&next), "only its owner reads a checkpoint");
}

/// Each row of the journal lies in the week of its task.
async fn weeks(hive: &hive_tests::TestHive) {
    let unplaced: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM steps_default) + (SELECT count(*) FROM events_default)
                + (SELECT count(*) FROM llm_calls_default)",
    )
    .fetch_one(&hive.pool)
    .await
    .unwrap();
    assert_eq!(unplaced, 0);
    let lost: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM journal_weeks WHERE (to_regclass('steps_' || name) IS NULL) <> (dropped_at IS NOT NULL)",
    )
    .fetch_one(&hive.pool)
    .await
    .unwrap();
    assert_eq!(lost, 0);
}

fn is_private(directory: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let files = ["tables", "repositories", "."]
        .into_iter()
        .flat_map(|name| std::fs::read_dir(directory.join(name)).unwrap().map(|entry| entry.unwrap().path()));
    mode(directory) == 0o700
        && files.into_iter().all(|path| mode(&path) == if path.is_dir() { 0o700 } else { 0o600 })
}
