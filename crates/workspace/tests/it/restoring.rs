use std::fs;

use crate::harness::{Host, TASK, entries, message, write};

#[tokio::test]
async fn earlier_files_come_back_by_a_commit_on_top() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    let base = workspace.base().clone();
    write(&workspace, "kept", "1");
    let kept = workspace.commit(message("Keep")).await.unwrap().unwrap();
    write(&workspace, "wrong", "2");
    fs::remove_file(workspace.tree().join("README.md")).unwrap();
    let wrong = workspace.commit(message("Wrong")).await.unwrap().unwrap();
    write(&workspace, "untracked", "3");

    let restored = workspace.restore(&kept.hash, message("Undo")).await.unwrap().unwrap();
    assert_eq!(entries(workspace.tree()), ["README.md", "kept"]);
    assert_eq!((workspace.head(), workspace.tree_hash()), (&restored, &kept.tree));
    assert!(workspace.is_clean().await.unwrap());
    assert_eq!(workspace.restore(&kept.hash, message("Undo")).await.unwrap(), None, "the files are there");

    // Another run that does the same from the same commit makes the same one.
    workspace.reset(&wrong.hash).await.unwrap();
    assert_eq!(workspace.restore(&kept.hash, message("Undo")).await.unwrap(), Some(restored.clone()));
    workspace.push(None).await.unwrap();
    let log = host.origin.git(&["log", "--format=%H", &format!("hive/{TASK}")]);
    let expected = [&restored, &wrong.hash, &kept.hash, &base].map(ToString::to_string);
    assert_eq!(log.lines().collect::<Vec<_>>(), expected, "nothing is taken out of the history");

    workspace.restore(&base, message("All of it")).await.unwrap().unwrap();
    assert_eq!(entries(workspace.tree()), ["README.md"]);
}
