//! Sweeping a host: what is in the repository goes, and no work is ever lost.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use hive_workspace::{Found, QuarantineReason};

use crate::harness::{Host, git, message, write};

/// The paths of all files below a directory whose content is this.
fn holding(directory: &Path, text: &str) -> usize {
    let mut found = 0;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found += holding(&path, text);
        } else if fs::read(&path).is_ok_and(|bytes| bytes == text.as_bytes()) {
            found += 1;
        }
    }
    found
}

/// Every combination of a commit, its push, one more commit of somebody on top, a changed file, a new file, an ignored
/// one, and a repository that does not answer.
#[tokio::test]
async fn no_work_is_ever_deleted() {
    for case in 0..32_u32 {
        let is = |bit: u32| case >> bit & 1 == 1;
        let (commits, pushes, changes, adds, away) = (is(0), is(1), is(2), is(3), is(4));
        let host = Host::new().await;
        let task = format!("task-{case}");
        let mut workspace = host.open(&task).await;
        let branch = workspace.branch().to_owned();
        let mut head = None;
        if commits {
            write(&workspace, "committed", "in a commit");
            write(&workspace, ".gitignore", "cache/\n");
            head = workspace.commit(message("Work")).await.unwrap().map(|commit| commit.hash);
            if pushes {
                workspace.push(None).await.unwrap();
            }
        }
        if changes {
            write(&workspace, "README.md", "changed and not committed");
        }
        if adds {
            write(&workspace, "added", "new and not committed");
        }
        if commits {
            write(&workspace, "cache/x", "ignored");
        }
        let source = host.source().await;
        drop(workspace);
        if away {
            fs::rename(&host.origin.path, host.directory.path().join("gone")).unwrap();
        }
        let tasks = host.config.root.join("tasks");
        let looked = host.workspaces.sweep_task(&task, &source, true).await.unwrap();
        assert!(tasks.join(&task).join("tree").is_dir(), "{case}: a dry run moves nothing");
        let swept = host.workspaces.sweep_task(&task, &source, false).await.unwrap();
        let kinds = |all: &[hive_workspace::Leftover]| {
            all.iter().map(|one| std::mem::discriminant(&one.found)).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&looked), kinds(&swept), "{case}: a dry run says what will happen");
        assert!(!tasks.join(&task).exists(), "{case}: it is out of the way");

        let quarantine = host.config.root.join("quarantine");
        if changes {
            assert_eq!(holding(&quarantine, "changed and not committed"), 1, "{case}");
        }
        if adds {
            assert_eq!(holding(&quarantine, "new and not committed"), 1, "{case}");
        }
        if let Some(head) = head {
            let hub = if away { host.directory.path().join("gone") } else { host.origin.path.clone() };
            let on_hub =
                git(&hub, &["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{branch}")]);
            let kept = quarantine.join(&task).join("git");
            if on_hub != head.as_str() {
                assert_eq!(git(&kept, &["cat-file", "-t", head.as_str()]), "commit", "{case}: {swept:?}");
            }
        }
        let nothing_of_worth = !changes && !adds && (!commits || (pushes && !away));
        let expected = if nothing_of_worth { Found::Deleted } else { swept[0].found.clone() };
        assert_eq!(swept[0].found, expected, "{case}");
        assert_eq!(quarantine.join(&task).exists(), !nothing_of_worth, "{case}: {swept:?}");
        assert!(swept[0].bytes > 0);
    }
}

#[tokio::test]
async fn a_branch_that_went_on_elsewhere_holds_what_was_left_here() {
    let host = Host::new().await;
    let mut here = host.open("moved-on").await;
    write(&here, "a", "a");
    let at = here.commit(message("A")).await.unwrap().unwrap().hash;
    here.push(None).await.unwrap();
    drop(here);
    let other = host.another_host().await;
    let mut there = other.open("moved-on", host.source().await, Some(at.clone())).await.unwrap();
    write(&there, "b", "b");
    there.commit(message("B")).await.unwrap().unwrap();
    there.push(Some(&at)).await.unwrap();
    let source = host.source().await;
    let in_use = other.sweep_task("moved-on", &source, false).await.unwrap();
    assert_eq!(in_use[0].found, Found::InUse);
    assert!(there.tree().join("b").exists(), "what a run holds stays");
    let swept = host.workspaces.sweep_task("moved-on", &source, false).await.unwrap();
    assert_eq!(swept[0].found, Found::Deleted);
}

#[tokio::test]
async fn a_directory_that_is_no_repository_is_put_aside() {
    let host = Host::new().await;
    let odd = host.config.root.join("tasks/odd/tree");
    fs::create_dir_all(&odd).unwrap();
    fs::write(odd.join("notes"), "somebody's notes").unwrap();
    assert_eq!(host.workspaces.tasks_here().unwrap().into_iter().collect::<Vec<_>>(), ["odd"]);
    let swept = host.workspaces.sweep_task("odd", &host.source().await, false).await.unwrap();
    assert!(matches!(&swept[0].found, Found::Quarantined(QuarantineReason::Unknown(_))), "{swept:?}");
    assert_eq!(holding(&host.config.root.join("quarantine"), "somebody's notes"), 1);
}

#[tokio::test]
async fn a_mirror_goes_when_it_is_idle_and_nobody_borrows_from_it() {
    let host = Host::new().await;
    let workspace = host.open("first").await;
    write(&workspace, "a", "not committed");
    let mirrors = host.config.root.join("mirrors");
    let count = || fs::read_dir(&mirrors).unwrap().flatten().filter(|entry| entry.path().is_dir()).count();
    let long_ago = SystemTime::now() - Duration::from_secs(30 * 24 * 3600);
    let grow_old = || {
        for mirror in
            fs::read_dir(&mirrors).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_dir())
        {
            for part in ["", "objects", "objects/pack", "refs", "refs/hive"] {
                if let Ok(file) = fs::File::open(mirror.join(part)) {
                    file.set_modified(long_ago).unwrap();
                }
            }
        }
    };
    let source = host.source().await;
    grow_old();
    assert!(host.workspaces.sweep_mirrors(&[], false).await.unwrap().is_empty(), "a tree borrows from it");
    workspace.remove().await.unwrap();
    grow_old();
    assert!(
        host.workspaces.sweep_mirrors(&[], false).await.unwrap().is_empty(),
        "so does what is in quarantine"
    );
    fs::remove_dir_all(host.config.root.join("quarantine/first")).unwrap();
    assert!(
        host.workspaces.sweep_mirrors(&[host.url()], false).await.unwrap().is_empty(),
        "a task is about to"
    );
    assert_eq!(host.workspaces.sweep_mirrors(&[], true).await.unwrap().len(), 1);
    assert_eq!(count(), 1, "a dry run removes nothing");
    assert_eq!(host.workspaces.sweep_mirrors(&[], false).await.unwrap().len(), 1);
    assert_eq!(count(), 0);
    let again = host.workspaces.open("second", source, None).await.unwrap();
    assert!(again.tree().join("README.md").exists(), "it is made anew");
    assert!(host.workspaces.sweep_mirrors(&[], false).await.unwrap().is_empty(), "and is not idle");
    again.remove().await.unwrap();
}
