use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hive_workspace::{Skipped, SkippedReason};

use crate::harness::{Host, Repository, TASK, entries, git, message, write};

/// A repository whose every hook and configured command would write `marker`.
fn trap(directory: &Path, marker: &Path) {
    fs::create_dir_all(directory).unwrap();
    git(directory, &["init", "-q", "."]);
    let program = directory.join(".git/trap");
    fs::write(&program, format!("#!/bin/sh\ntouch '{}'\ncat\n", marker.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.to_str().unwrap();
    for hook in [
        "pre-commit",
        "post-checkout",
        "post-index-change",
        "reference-transaction",
        "pre-push",
        "post-commit",
    ] {
        fs::copy(program, directory.join(".git/hooks").join(hook)).unwrap();
    }
    for name in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "filter.trap.clean",
        "filter.trap.smudge",
        "diff.trap.command",
        "diff.trap.textconv",
        "diff.external",
    ] {
        git(directory, &["config", name, program]);
    }
}

#[tokio::test]
async fn a_planted_git_directory_is_never_read() {
    let host = Host::new().await;
    let marker = host.directory.path().join("marker");
    let mut workspace = host.open(TASK).await;
    let tree = workspace.tree().to_owned();
    trap(&tree, &marker);
    trap(&tree.join("nested"), &marker);
    write(&workspace, ".gitattributes", "* filter=trap diff=trap\n");
    write(&workspace, "nested/a", "a");
    // The trap works where git looks for a repository.
    git(&tree, &["add", "README.md"]);
    assert!(marker.exists());
    fs::remove_file(&marker).unwrap();

    let commit = workspace.commit(message("Trap")).await.unwrap().unwrap();
    workspace.push(None).await.unwrap();
    workspace.diff(1 << 20).await.unwrap();
    assert!(workspace.is_clean().await.unwrap());
    workspace.reset(&commit.hash).await.unwrap();
    assert!(!marker.exists(), "nothing of the agent's ran");
    assert_eq!(host.origin.files(&commit.hash), [".gitattributes", "README.md", "nested/a"]);
    assert_eq!(entries(&tree), [".gitattributes", "README.md", "nested/", "nested/a"]);
}

#[tokio::test]
async fn repositories_inside_the_tree_lose_no_files() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    let tree = workspace.tree().to_owned();
    for (directory, commits) in [("fresh", false), ("fresh/inner", true), ("cloned", true)] {
        let at = tree.join(directory);
        fs::create_dir_all(&at).unwrap();
        git(&at, &["init", "-q", "."]);
        fs::write(at.join("file"), directory).unwrap();
        if commits {
            git(&at, &["add", "file"]);
            git(&at, &["commit", "-q", "-m", "Inside"]);
        }
    }
    // A file that becomes a repository, and a .git that is none.
    fs::remove_file(tree.join("README.md")).unwrap();
    fs::create_dir(tree.join("README.md")).unwrap();
    git(&tree.join("README.md"), &["init", "-q", "."]);
    write(&workspace, "README.md/text", "t");
    git(&tree.join("README.md"), &["add", "text"]);
    git(&tree.join("README.md"), &["commit", "-q", "-m", "Inside"]);
    write(&workspace, "plain/.git", "not a repository");

    let commit = workspace.commit(message("Repositories")).await.unwrap().unwrap();
    workspace.push(None).await.unwrap();
    assert_eq!(
        host.origin.files(&commit.hash),
        ["README.md/text", "cloned/file", "fresh/file", "fresh/inner/file"]
    );
    let listing = host.origin.git(&["ls-tree", "-r", commit.hash.as_str()]);
    assert!(!listing.contains("160000"), "no pointer to commits nobody has: {listing}");
    let mut skipped: Vec<_> = workspace.skipped().iter().map(|skipped| skipped.path.as_str()).collect();
    skipped.sort_unstable();
    assert_eq!(skipped, ["README.md/.git", "cloned/.git", "fresh/.git", "fresh/inner/.git", "plain/.git"]);
    assert!(workspace.skipped().iter().all(|skipped| skipped.reason == SkippedReason::GitDirectory));

    write(&workspace, "cloned/file", "changed");
    assert_eq!(workspace.commit(message("More")).await.unwrap().unwrap().files_changed, 1);
}

#[tokio::test]
async fn a_submodule_keeps_its_commit_and_what_is_put_there_is_named() {
    let pointer = "1".repeat(40);
    let host = Host::with(|path| {
        let repository = Repository::bare(&path.join("git/shop.git"));
        let clone = path.join("clone");
        git(path, &["clone", "-q", repository.path.to_str().unwrap(), clone.to_str().unwrap()]);
        git(
            &clone,
            &["update-index", "--add", "--cacheinfo", &format!("160000,{},libs/sub", "1".repeat(40))],
        );
        git(&clone, &["commit", "-q", "-m", "Submodule"]);
        git(&clone, &["push", "-q", "origin", "main"]);
        repository
    })
    .await;
    let marker = host.directory.path().join("marker");
    let mut workspace = host.open(TASK).await;
    let tree = workspace.tree().to_owned();
    assert_eq!(entries(&tree), ["README.md", "libs/", "libs/sub/"]);
    trap(&tree.join("libs/sub"), &marker);
    write(&workspace, "libs/sub/lost", "l");
    git(
        &tree.join("libs/sub"),
        &[
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.hooksPath=/dev/null",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "Inside",
        ],
    );
    write(&workspace, "a", "a");

    let commit = workspace.commit(message("Beside")).await.unwrap().unwrap();
    assert_eq!(
        workspace.skipped(),
        [Skipped { path: "libs/sub".into(), reason: SkippedReason::InSubmodule }]
    );
    assert_eq!(commit.files_changed, 1);
    workspace.reset(&commit.hash).await.unwrap();
    assert!(!marker.exists());
    assert_eq!(entries(&tree), ["README.md", "a", "libs/", "libs/sub/"]);
    workspace.push(None).await.unwrap();
    assert!(host.origin.git(&["ls-tree", commit.hash.as_str(), "libs/"]).contains(&pointer));
}

#[tokio::test]
async fn names_that_git_refuses_are_left_out_and_named() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    write(&workspace, ".GIT/config", "[core]\n");
    write(&workspace, "sub/git~1", "x");
    write(&workspace, "fine", "f");
    workspace.commit(message("Names")).await.unwrap().unwrap();
    let skipped: Vec<_> = workspace.skipped().iter().map(|s| (s.path.as_str(), s.reason)).collect();
    assert_eq!(
        skipped,
        [(".GIT/config", SkippedReason::ForbiddenName), ("sub/git~1", SkippedReason::ForbiddenName)]
    );
}

#[tokio::test]
async fn settings_and_variables_of_the_worker_do_not_reach_git() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    write(&workspace, "a", "a");
    let commit = workspace.commit(message("A")).await.unwrap().unwrap();
    workspace.push(None).await.unwrap();
    // A hook of the repository's owner shows the environment git runs in.
    let seen = host.directory.path().join("environment");
    let hook = host.origin.path.join("hooks/post-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, format!("#!/bin/sh\nenv > '{}'\n", seen.display())).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    write(&workspace, "a", "b");
    workspace.commit(message("B")).await.unwrap().unwrap();
    workspace.push(Some(&commit.hash)).await.unwrap();
    let environment = fs::read_to_string(seen).unwrap();
    assert!(environment.contains("GIT_TERMINAL_PROMPT=0"), "{environment}");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG_")) {
        assert!(!environment.contains(&format!("{name}=")), "{name} has leaked");
    }
}

#[tokio::test]
async fn attributes_convert_nothing() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    write(&workspace, ".gitattributes", "* text eol=lf working-tree-encoding=NO-SUCH\n");
    write(&workspace, "dos.txt", "one\r\ntwo\r\n$Id$\n");
    let commit = workspace.commit(message("Attributes")).await.unwrap().unwrap();
    workspace.reset(&commit.hash).await.unwrap();
    assert_eq!(fs::read(workspace.tree().join("dos.txt")).unwrap(), b"one\r\ntwo\r\n$Id$\n");
}
