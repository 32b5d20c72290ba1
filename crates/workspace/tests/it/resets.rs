use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use crate::harness::{Host, Repository, TASK, entries, git, message, write};

#[tokio::test]
async fn a_reset_leaves_the_commit_and_nothing_else() {
    let host = Host::with(|path| {
        let repository = Repository::empty(&path.join("git/shop.git"));
        repository
            .commit_to("main", &[("README.md", "A shop.\n"), (".gitignore", "target/\n"), ("src/a", "a")]);
        repository
    })
    .await;
    let mut workspace = host.open(TASK).await;
    let tree = workspace.tree().to_owned();
    let outside = host.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "kept").unwrap();

    fs::write(tree.join("README.md"), "changed").unwrap();
    write(&workspace, "untracked", "u");
    write(&workspace, "target/ignored", "i");
    write(&workspace, ".git/config", "[core]\n");
    write(&workspace, "src/.git", "gitdir: /nowhere\n");
    write(&workspace, "locked/deep/file", "l");
    fs::write(tree.join(OsStr::from_bytes(b"\xff\n-rf")), "weird").unwrap();
    symlink(&outside, tree.join("link")).unwrap();
    fs::create_dir(tree.join("repository")).unwrap();
    git(&tree.join("repository"), &["init", "-q", "."]);
    fs::set_permissions(tree.join("locked/deep"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(tree.join("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(tree.join("src/a"), fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(tree.join("src"), fs::Permissions::from_mode(0o555)).unwrap();

    let base = workspace.base().clone();
    workspace.reset(&base).await.unwrap();
    assert_eq!(entries(&tree), [".gitignore", "README.md", "src/", "src/a"]);
    assert_eq!(fs::read_to_string(tree.join("README.md")).unwrap(), "A shop.\n");
    let mode = |name: &str| fs::metadata(tree.join(name)).unwrap().permissions().mode() & 0o700;
    assert_eq!((mode("src"), mode("src/a")), (0o700, 0o600), "the agent can write again");
    assert_eq!(fs::read_to_string(outside.join("kept")).unwrap(), "kept", "links are not followed");
}

#[tokio::test]
async fn a_directory_swapped_for_a_link_is_put_back() {
    let host = Host::with(|path| {
        let repository = Repository::empty(&path.join("git/shop.git"));
        repository.commit_to("main", &[("src/a", "a"), ("src/b", "b")]);
        repository
    })
    .await;
    let mut workspace = host.open(TASK).await;
    let tree = workspace.tree().to_owned();
    let outside = host.directory.path().join("outside");
    fs::rename(tree.join("src"), &outside).unwrap();
    symlink(&outside, tree.join("src")).unwrap();
    fs::write(outside.join("a"), "not ours").unwrap();
    let base = workspace.base().clone();
    workspace.reset(&base).await.unwrap();
    assert!(!tree.join("src").is_symlink());
    assert_eq!(entries(&tree), ["src/", "src/a", "src/b"]);
    assert_eq!(fs::read_to_string(outside.join("a")).unwrap(), "not ours");
}

#[tokio::test]
async fn a_tree_too_deep_to_clean_is_replaced() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    let mut deep = workspace.tree().to_owned();
    for _ in 0..300 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    assert!(workspace.commit(message("Deep")).await.is_err(), "not committed in silence");
    let base = workspace.base().clone();
    workspace.reset(&base).await.unwrap();
    assert_eq!(entries(workspace.tree()), ["README.md"]);
}

#[tokio::test]
async fn a_reset_goes_back_and_forth_between_commits() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    write(&workspace, "a", "1");
    let first = workspace.commit(message("1")).await.unwrap().unwrap();
    write(&workspace, "a", "2");
    let second = workspace.commit(message("2")).await.unwrap().unwrap();
    workspace.reset(&first.hash).await.unwrap();
    assert_eq!((workspace.head(), workspace.tree_hash()), (&first.hash, &first.tree));
    assert_eq!(fs::read_to_string(workspace.tree().join("a")).unwrap(), "1");
    workspace.reset(&second.hash).await.unwrap();
    assert_eq!(fs::read_to_string(workspace.tree().join("a")).unwrap(), "2");
}

/// The sandbox runs commands as another user and gives it the tree; only root can do so.
#[tokio::test]
async fn files_of_another_user_are_committed_and_reset() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    let tree = workspace.tree().to_owned();
    write(&workspace, "theirs/a", "a");
    for path in [tree.join("theirs/a"), tree.join("theirs"), tree.join("README.md"), tree.clone()] {
        if chown(&path, Some(65_533), Some(65_533)).is_err() {
            return;
        }
    }
    fs::set_permissions(tree.join("theirs"), fs::Permissions::from_mode(0o000)).unwrap();
    let commit = workspace.commit(message("Theirs")).await.unwrap().unwrap();
    assert_eq!(commit.files_changed, 1);
    write(&workspace, "theirs/b", "b");
    chown(tree.join("theirs/b"), Some(65_533), Some(65_533)).unwrap();
    fs::set_permissions(tree.join("theirs"), fs::Permissions::from_mode(0o000)).unwrap();
    workspace.reset(&commit.hash).await.unwrap();
    assert_eq!(entries(&tree), ["README.md", "theirs/", "theirs/a"]);
}
