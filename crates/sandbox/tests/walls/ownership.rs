use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::fixture::{Place, is_root, run};

/// Files of one run can be changed by the next, which may have another uid, and by root's own tools between.
#[tokio::test]
async fn files_persist_from_run_to_run() {
    let place = Place::new();
    std::fs::create_dir(place.workspace.join("checked-out")).unwrap();
    std::fs::write(place.workspace.join("checked-out/file"), "0\n").unwrap();
    for sandbox in place.sandboxes().await {
        for _ in 0..2 {
            let output = run(&sandbox, &place.shell("umask 077; echo more >> checked-out/file; echo > checked-out/new$RANDOM; rm -f checked-out/new*")).await;
            assert!(output.success());
        }
    }
    let text = std::fs::read_to_string(place.workspace.join("checked-out/file")).unwrap();
    assert!(text.matches("more").count() >= 2);
}

/// Row 29, for what the floor can do when each run has its own uid; bubblewrap does it for any uid.
#[tokio::test]
async fn git_of_the_workspace_is_not_written() {
    let place = Place::new();
    let line = "echo x > .git/config; echo x > .git/hooks/pre-commit; rm -rf .git; mv .git old; mkdir .git; ln -sfn /tmp .git; chmod 777 .git; ls -A";
    for sandbox in place.sandboxes().await {
        if !is_root() && !sandbox.level().bubblewrap {
            println!("skipped: without root and without bubblewrap `.git` is not protected");
            continue;
        }
        let git = place.workspace.join(".git");
        std::fs::create_dir_all(git.join("hooks")).unwrap();
        std::fs::write(git.join("config"), "[core]\n").unwrap();
        let output = run(&sandbox, &place.shell(line)).await;
        assert_eq!(output.stdout.text(), ".git\n");
        assert_eq!(std::fs::read_to_string(git.join("config")).unwrap(), "[core]\n");
        assert!(!git.join("hooks/pre-commit").exists());
        // The worktree's form: a file that names the directory elsewhere.
        std::fs::remove_dir_all(&git).unwrap();
        std::fs::write(&git, "gitdir: /elsewhere\n").unwrap();
        let output = run(&sandbox, &place.shell(line)).await;
        assert_eq!(output.stdout.text(), ".git\n");
        assert_eq!(std::fs::read_to_string(&git).unwrap(), "gitdir: /elsewhere\n");
        std::fs::remove_file(&git).unwrap();
    }
}

/// Row 19: handing the workspace over follows no link out of it, neither soft nor hard.
#[tokio::test]
async fn handing_over_follows_no_link() {
    if !is_root() {
        println!("skipped: only root hands workspaces over");
        return;
    }
    let place = Place::new();
    let outside = place.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("object"), "shared").unwrap();
    std::fs::set_permissions(outside.join("object"), PermissionsExt::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(&outside, place.workspace.join("soft")).unwrap();
    std::fs::hard_link(outside.join("object"), place.workspace.join("hard")).unwrap();
    for sandbox in place.sandboxes().await {
        let output = run(
            &sandbox,
            &place.shell("cat hard; echo changed > hard; ln -f mine twin; echo > mine; ln -f mine twin"),
        )
        .await;
        assert_eq!(output.stdout.text(), "shared");
        assert_eq!(std::fs::metadata(outside.join("object")).unwrap().uid(), 0);
        assert_eq!(std::fs::metadata(&outside).unwrap().uid(), 0);
        assert_eq!(std::fs::read_to_string(outside.join("object")).unwrap(), "shared");
        // A file linked twice by a run belongs to the next run all the same.
        assert!(run(&sandbox, &place.shell("echo again > twin")).await.success());
    }
}

/// Root hands over no directory that others use or that holds more than a workspace, whatever it is told.
#[tokio::test]
async fn a_directory_that_is_no_workspace_is_not_handed_over() {
    if !is_root() {
        println!("skipped: only root hands workspaces over");
        return;
    }
    let place = Place::new();
    let shared = place.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join("file"), "").unwrap();
    std::fs::set_permissions(&shared, PermissionsExt::from_mode(0o1777)).unwrap();
    for sandbox in place.sandboxes().await {
        // The place itself holds the scratch directory.
        for workspace in [shared.as_path(), place.path()] {
            let job = hive_sandbox::Job::new(workspace, ["true"]);
            let cancel = tokio_util::sync::CancellationToken::new();
            let refused = sandbox.run(&job, &cancel).await.unwrap_err();
            assert!(refused.to_string().contains("is no workspace"), "{refused}");
        }
        assert_eq!(std::fs::metadata(shared.join("file")).unwrap().uid(), 0);
        assert_eq!(std::fs::metadata(place.path()).unwrap().mode() & 0o7777, 0o755);
    }
}

#[tokio::test]
async fn two_runs_in_one_workspace_do_not_disturb_each_other() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let job = place.shell("for i in 1 2 3 4 5; do echo $i >> log; sleep 0.05; done");
        let (one, two) = tokio::join!(run(&sandbox, &job), run(&sandbox, &job));
        assert!(one.success() && two.success());
    }
}

#[tokio::test]
async fn a_workspace_that_cannot_be_reached_is_named() {
    if !is_root() {
        println!("skipped: without root the worker's own uid is used");
        return;
    }
    let place = Place::new();
    let closed = place.path().join("closed");
    std::fs::create_dir_all(closed.join("workspace")).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).unwrap();
    let sandbox = &place.sandboxes().await[0];
    let job = hive_sandbox::Job::new(closed.join("workspace"), ["true"]);
    let refused = sandbox.run(&job, &tokio_util::sync::CancellationToken::new()).await.unwrap_err();
    assert!(refused.to_string().contains(closed.to_str().unwrap()), "{refused}");
}
