use std::fs;
use std::os::unix::fs::PermissionsExt;

use hive_workspace::{CommitMessage, PushError};

use crate::harness::{Host, Repository, TASK, message, write};

#[tokio::test]
async fn a_branch_that_moved_is_told_and_can_be_taken_back() {
    let host = Host::new().await;
    let branch = format!("hive/{TASK}");
    let mut stale = host.open(TASK).await;
    write(&stale, "a", "stale");
    stale.commit(message("Stale")).await.unwrap().unwrap();
    stale.push(None).await.unwrap();
    let pushed_by_stale = stale.head().clone();
    drop(stale);

    let mut owner = host.open(TASK).await;
    write(&owner, "a", "owner");
    owner.commit(message("Owner")).await.unwrap().unwrap();
    match owner.push(None).await {
        Err(PushError::Moved { actual }) => assert_eq!(actual, Some(pushed_by_stale.clone())),
        other => panic!("{other:?}"),
    }
    assert_eq!(host.origin.head(&branch), pushed_by_stale.as_str(), "nothing was overwritten");

    owner.push(Some(&pushed_by_stale)).await.unwrap();
    assert_eq!(host.origin.head(&branch), owner.head().as_str());
    owner.push(None).await.unwrap();
    let before = owner.head().clone();
    write(&owner, "a", "more");
    owner.commit(message("More")).await.unwrap().unwrap();
    match owner.push(Some(&pushed_by_stale)).await {
        Err(PushError::Moved { actual }) => assert_eq!(actual, Some(before.clone())),
        other => panic!("{other:?}"),
    }
    owner.push(Some(&before)).await.unwrap();
    assert_eq!(host.origin.head(&branch), owner.head().as_str());
}

#[tokio::test]
async fn the_owner_of_a_repository_decides_what_enters_it() {
    let host = Host::new().await;
    let hook = host.origin.path.join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho 'frozen until Monday' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let mut workspace = host.open(TASK).await;
    write(&workspace, "a", "a");
    workspace.commit(message("A")).await.unwrap().unwrap();
    match workspace.push(None).await {
        Err(PushError::Rejected { reason }) => assert!(reason.contains("frozen until Monday"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_repository_with_files_takes_the_branch_and_keeps_its_own() {
    let host = Host::with(|path| Repository::with_files(&path.join("git/shop"))).await;
    let main = host.origin.head("main");
    let mut workspace = host.open(TASK).await;
    write(&workspace, "a", "a");
    workspace.commit(message("A")).await.unwrap().unwrap();
    workspace.push(None).await.unwrap();
    assert_eq!(host.origin.head(&format!("hive/{TASK}")), workspace.head().as_str());
    assert_eq!(host.origin.head("main"), main);
    assert_eq!(host.origin.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_repository_that_went_away_is_unreachable() {
    let host = Host::new().await;
    let workspace = host.open(TASK).await;
    fs::rename(&host.origin.path, host.directory.path().join("gone")).unwrap();
    assert!(matches!(workspace.push(None).await, Err(PushError::Unreachable { .. })));
}

#[tokio::test]
async fn work_of_a_person_on_the_branch_is_told_apart_and_can_be_adopted() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    write(&workspace, "a", "ours");
    let ours = CommitMessage { trailers: vec![("Hive-Task".to_owned(), TASK.to_owned())], ..message("Ours") };
    let commit = workspace.commit(ours).await.unwrap().unwrap();
    workspace.push(None).await.unwrap();
    assert!(workspace.pushed_carries(&commit.hash, "Hive-Task", TASK).await.unwrap());
    assert_eq!(workspace.adopt_pushed().await.unwrap(), None);

    let theirs = host.origin.commit_to(&format!("hive/{TASK}"), &[("a", "theirs")]);
    assert!(!workspace.pushed_carries(&theirs, "Hive-Task", TASK).await.unwrap());
    assert_eq!(workspace.adopt_pushed().await.unwrap(), Some(theirs.clone()));
    assert_eq!(workspace.head(), &theirs);
    assert_eq!(fs::read_to_string(workspace.tree().join("a")).unwrap(), "theirs");
}
