use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use hive_workspace::{CommitMessage, DiffStat, Error, Skipped, SkippedReason};

use crate::harness::{Host, Repository, TASK, message, write};

#[tokio::test]
async fn a_turn_becomes_a_commit_with_its_origin_in_trailers() {
    let host = Host::new().await;
    let main = host.origin.head("main");
    let mut workspace = host.open(TASK).await;
    assert_eq!(fs::read_to_string(workspace.tree().join("README.md")).unwrap(), "A shop.\n");
    write(&workspace, "src/cart.py", "total = 0\n");
    fs::remove_file(workspace.tree().join("README.md")).unwrap();

    let commit = workspace
        .commit(CommitMessage {
            subject: "--exec=touch /x\nand more".to_owned(),
            body: "Adds a cart.\n\nHive-Task: forged\n".to_owned(),
            trailers: vec![("Hive-Task".into(), TASK.into()), ("Hive-Run".into(), "7".into())],
        })
        .await
        .unwrap()
        .unwrap();
    workspace.push(None).await.unwrap();

    assert_eq!(commit.files_changed, 2);
    assert_eq!(host.origin.head(&format!("hive/{TASK}")), commit.hash.as_str());
    assert_eq!(host.origin.head("main"), main, "the base branch is as it was");
    let show =
        |format: &str| host.origin.git(&["log", "-1", &format!("--format={format}"), commit.hash.as_str()]);
    assert_eq!(show("%s|%P|%an|%ce"), format!("--exec=touch /x and more|{main}|Agent Hive|hive@localhost"));
    assert_eq!(show("%(trailers)"), format!("Hive-Task: {TASK}\nHive-Run: 7"));
    assert_eq!(show("%T"), workspace.tree_hash().as_str());
    assert_eq!(host.origin.files(&commit.hash), ["src/cart.py"]);
}

#[tokio::test]
async fn nothing_changed_is_no_commit() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    assert_eq!(workspace.commit(message("Nothing")).await.unwrap(), None);
    write(&workspace, "README.md", "A shop.\n");
    assert_eq!(workspace.commit(message("The same text")).await.unwrap(), None);
    assert_eq!(workspace.head(), workspace.base());
    assert!(workspace.is_clean().await.unwrap());
}

#[tokio::test]
async fn the_diff_spans_all_commits_and_is_cut_at_its_cap() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    write(&workspace, "a.txt", "one\ntwo\n");
    workspace.commit(message("First")).await.unwrap().unwrap();
    write(&workspace, "README.md", "Ein Lädchen.\n");
    write(&workspace, ".gitattributes", "* -diff\n");
    workspace.commit(message("Second")).await.unwrap().unwrap();

    let whole = workspace.diff(1 << 20).await.unwrap();
    assert_eq!(whole.stat, DiffStat { files: 3, insertions: 4, deletions: 1 });
    assert!(!whole.truncated);
    assert!(whole.text.contains("-A shop.\n+Ein Lädchen.\n"), "attributes hide nothing: {}", whole.text);

    let end = whole.text.find('ä').unwrap() + 1;
    let cut = workspace.diff(end).await.unwrap();
    assert!(cut.truncated);
    assert_eq!(cut.text, whole.text[..end - 1], "cut before the character, not inside it");
    assert_eq!(cut.stat, whole.stat);
}

#[tokio::test]
async fn modes_links_and_odd_names_survive_the_round_trip() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    let tree = workspace.tree().to_owned();
    write(&workspace, "run.sh", "#!/bin/sh\n");
    fs::set_permissions(tree.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/hostname", tree.join("outside")).unwrap();
    for name in ["-rf", "a\nb", "with space", "*", ":(exclude)x", "ü"] {
        write(&workspace, name, "odd");
    }
    let commit = workspace.commit(message("Odd")).await.unwrap().unwrap();
    assert_eq!(commit.files_changed, 8);
    workspace.push(None).await.unwrap();
    assert_eq!(
        host.origin.git(&[
            "ls-tree",
            commit.hash.as_str(),
            "run.sh",
            "outside",
            "--format=%(objectmode) %(path)"
        ]),
        "120000 outside\n100755 run.sh"
    );
    assert_eq!(host.origin.git(&["show", &format!("{}:outside", commit.hash)]), "/etc/hostname");

    workspace.reset(&commit.hash).await.unwrap();
    assert!(workspace.is_clean().await.unwrap());
    assert_eq!(fs::read(tree.join("a\nb")).unwrap(), b"odd");
    assert_eq!(fs::read_link(tree.join("outside")).unwrap().to_str(), Some("/etc/hostname"));
}

#[tokio::test]
async fn files_take_the_place_of_directories_and_the_reverse() {
    let host = Host::with(|path| {
        let repository = Repository::empty(&path.join("git/shop.git"));
        repository.commit_to("main", &[("a/b", "1"), ("c", "2"), ("d/e", "3")]);
        repository
    })
    .await;
    let mut workspace = host.open(TASK).await;
    let tree = workspace.tree().to_owned();
    fs::remove_dir_all(tree.join("a")).unwrap();
    write(&workspace, "a", "a file now");
    fs::remove_file(tree.join("c")).unwrap();
    write(&workspace, "c/d", "a directory now");
    fs::remove_dir_all(tree.join("d")).unwrap();
    symlink("c", tree.join("d")).unwrap();

    let commit = workspace.commit(message("Swap")).await.unwrap().unwrap();
    workspace.push(None).await.unwrap();
    assert_eq!(host.origin.files(&commit.hash), ["a", "c/d", "d"]);
    assert!(workspace.is_clean().await.unwrap());
}

#[tokio::test]
async fn a_file_beyond_the_cap_is_named_and_nothing_is_committed() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    let large = fs::File::create(workspace.tree().join("model.bin")).unwrap();
    large.set_len(50 * 1024 * 1024 + 1).unwrap();
    match workspace.commit(message("Large")).await {
        Err(Error::FileTooLarge { path, size, .. }) => {
            assert_eq!((path.as_str(), size), ("model.bin", 50 * 1024 * 1024 + 1));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(workspace.head(), workspace.base());
    fs::remove_file(workspace.tree().join("model.bin")).unwrap();
    write(&workspace, "small", "s");
    workspace.commit(message("Small")).await.unwrap().unwrap();
}

#[tokio::test]
async fn ignored_files_stay_out() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    write(&workspace, ".gitignore", "target/\n*.log\n");
    write(&workspace, "target/debug/app", "binary");
    write(&workspace, "run.log", "log");
    let commit = workspace.commit(message("Ignore")).await.unwrap().unwrap();
    assert_eq!(commit.files_changed, 1);
    assert!(workspace.tree().join("target/debug/app").exists(), "they stay in the tree");
    workspace.push(None).await.unwrap();
    assert_eq!(host.origin.files(&commit.hash), [".gitignore", "README.md"]);
}

#[tokio::test]
async fn pipes_are_left_out_and_named() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    fs::remove_file(workspace.tree().join("README.md")).unwrap();
    let status =
        std::process::Command::new("mkfifo").arg(workspace.tree().join("README.md")).status().unwrap();
    assert!(status.success());
    workspace.commit(message("A pipe")).await.unwrap().unwrap();
    assert_eq!(
        workspace.skipped(),
        [Skipped { path: "README.md".into(), reason: SkippedReason::SpecialFile }]
    );
}

#[tokio::test]
async fn messages_that_would_break_the_trailers_are_refused() {
    let host = Host::new().await;
    let mut workspace = host.open(TASK).await;
    write(&workspace, "a", "a");
    for (key, value) in [("Hive Task", "x"), ("Hive-Task", "x\nHive-Run: y"), ("", "x"), ("Hive-Task", "")] {
        let trailers = vec![(key.to_owned(), value.to_owned())];
        let refused = workspace.commit(CommitMessage { trailers, ..message("Subject") }).await;
        assert!(matches!(refused, Err(Error::InvalidMessage(_))), "{key:?} {value:?}");
    }
    assert!(matches!(workspace.commit(message(" \n ")).await, Err(Error::InvalidMessage(_))));
}
