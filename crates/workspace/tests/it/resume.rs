use std::fs;

use hive_workspace::{CommitHash, Error, Source};

use crate::harness::{Host, TASK, entries, message, write};

#[tokio::test]
async fn a_run_that_died_is_resumed_at_the_journalled_commit() {
    let host = Host::new().await;
    let mut dead = host.open(TASK).await;
    write(&dead, "a.txt", "journalled");
    let journalled = dead.commit(message("Journalled")).await.unwrap().unwrap().hash;
    write(&dead, "b.txt", "not journalled");
    let orphan = dead.commit(message("Orphan")).await.unwrap().unwrap().hash;
    write(&dead, "c.txt", "not even committed");
    // What a git that was killed in the middle of a commit leaves.
    fs::write(host.config.root.join(format!("tasks/{TASK}/git/index.lock")), "").unwrap();
    drop(dead);

    let mut resumed =
        host.workspaces.open(TASK, host.source().await, Some(journalled.clone())).await.unwrap();
    assert_eq!(resumed.head(), &journalled);
    assert_eq!(entries(resumed.tree()), ["README.md", "a.txt"]);
    write(&resumed, "d.txt", "done again");
    let next = resumed.commit(message("Again")).await.unwrap().unwrap().hash;
    resumed.push(None).await.unwrap();
    let parents = host.origin.git(&["log", "-1", "--format=%P", next.as_str()]);
    assert_eq!(parents, journalled.as_str(), "{orphan} is not part of the branch");
}

#[tokio::test]
async fn another_host_resumes_what_was_pushed() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    write(&workspace, "a.txt", "one");
    let first = workspace.commit(message("One")).await.unwrap().unwrap().hash;
    write(&workspace, "a.txt", "two");
    workspace.commit(message("Two")).await.unwrap().unwrap();
    workspace.push(None).await.unwrap();

    let elsewhere = host.another_host().await;
    let resumed = elsewhere.open(TASK, host.source().await, Some(first.clone())).await.unwrap();
    assert_eq!(resumed.head(), &first);
    assert_eq!(fs::read_to_string(resumed.tree().join("a.txt")).unwrap(), "one");
}

/// What another task of the same repository sees for some milliseconds, or a host that was cut off in them.
#[tokio::test]
async fn a_mirror_that_is_half_made_is_finished() {
    let host = Host::new().await;
    host.open(TASK).await;
    let mirrors = fs::read_dir(host.config.root.join("mirrors")).unwrap().flatten();
    let mirror = mirrors.map(|entry| entry.path()).find(|path| path.is_dir()).unwrap();
    let head = fs::read(mirror.join("HEAD")).unwrap();
    fs::remove_dir_all(&mirror).unwrap();
    fs::create_dir(&mirror).unwrap();
    fs::write(mirror.join("HEAD"), head).unwrap();

    let next = host.workspaces.open("next", host.source().await, None).await.unwrap();
    assert_eq!(entries(next.tree()), ["README.md"]);
}

#[tokio::test]
async fn a_commit_that_nobody_has_is_named() {
    let host = Host::new().await;
    let nowhere = CommitHash::parse(&"ab".repeat(20)).unwrap();
    match host.workspaces.open(TASK, host.source().await, Some(nowhere.clone())).await {
        Err(Error::MissingCommit { hash }) => assert_eq!(hash, nowhere),
        other => panic!("{other:?}"),
    }
    let source = Source { url: host.url(), base: nowhere.clone() };
    assert!(matches!(host.workspaces.open(TASK, source, None).await, Err(Error::MissingCommit { .. })));
}

#[tokio::test]
async fn a_stalled_run_keeps_its_tree_and_the_next_one_gets_its_commits() {
    let host = Host::new().await;
    let mut stalled = host.open(TASK).await;
    write(&stalled, "a.txt", "journalled but not pushed");
    let journalled = stalled.commit(message("Journalled")).await.unwrap().unwrap().hash;

    let next = host.workspaces.open(TASK, host.source().await, Some(journalled.clone())).await.unwrap();
    write(&stalled, "late.txt", "the stalled run wakes up");
    assert_ne!(stalled.tree(), next.tree());
    assert_eq!(next.head(), &journalled);
    assert_eq!(entries(next.tree()), ["README.md", "a.txt"]);
}

#[tokio::test]
async fn task_ids_that_could_leave_the_root_are_refused() {
    let host = Host::new().await;
    for task in ["", "..", "../x", "a/b", "-x", "a\0b", &"a".repeat(65)] {
        let refused = host.workspaces.open(task, host.source().await, None).await;
        assert!(matches!(refused, Err(Error::InvalidTask(_))), "{task:?}");
    }
}
