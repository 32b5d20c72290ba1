use std::fs;

use hive_workspace::{QuarantineReason, Removal};

use crate::harness::{Host, TASK, git, message, write};

#[tokio::test]
async fn a_pushed_and_clean_workspace_is_deleted() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    write(&workspace, ".gitignore", "target/\n");
    write(&workspace, "target/cache", "c");
    workspace.commit(message("Ignore")).await.unwrap().unwrap();
    workspace.push(None).await.unwrap();
    assert_eq!(workspace.remove().await.unwrap(), Removal::Deleted);
    assert!(!host.config.root.join("tasks").join(TASK).exists());
    let untouched = host.open("untouched").await;
    assert_eq!(untouched.remove().await.unwrap(), Removal::Deleted);
}

#[tokio::test]
async fn work_that_is_not_in_the_repository_is_never_deleted() {
    let host = Host::new().await;

    let mut unpushed = host.open("unpushed").await;
    write(&unpushed, "a", "only here");
    let head = unpushed.commit(message("A")).await.unwrap().unwrap().hash;
    let (path, reason) = quarantined(unpushed.remove().await.unwrap());
    assert_eq!(reason, QuarantineReason::Unpushed);
    assert_eq!(fs::read_to_string(path.join("tree/a")).unwrap(), "only here");
    assert_eq!(git(&path.join("git"), &["show", &format!("{head}:a")]), "only here");

    let dirty = host.open("dirty").await;
    write(&dirty, "b", "not committed");
    let (path, reason) = quarantined(dirty.remove().await.unwrap());
    assert_eq!(reason, QuarantineReason::Uncommitted);
    assert_eq!(fs::read_to_string(path.join("tree/b")).unwrap(), "not committed");

    // The same task once more: what is in quarantine stays.
    let again = host.open("dirty").await;
    write(&again, "b", "again");
    let (second, _) = quarantined(again.remove().await.unwrap());
    assert_ne!(second, path);
    assert_eq!(fs::read_to_string(path.join("tree/b")).unwrap(), "not committed");

    let mut lost = host.open("lost").await;
    write(&lost, "c", "c");
    lost.commit(message("C")).await.unwrap().unwrap();
    lost.push(None).await.unwrap();
    fs::rename(&host.origin.path, host.directory.path().join("gone")).unwrap();
    let (_, reason) = quarantined(lost.remove().await.unwrap());
    assert!(matches!(reason, QuarantineReason::Unknown(_)), "{reason:?}");
}

fn quarantined(removal: Removal) -> (std::path::PathBuf, QuarantineReason) {
    match removal {
        Removal::Quarantined { path, reason } => (path, reason),
        Removal::Deleted => panic!("deleted"),
    }
}
