use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use hive_workspace::{Config, Error, GitFailure, RepositoryUrl, ResolveError, Source, Workspaces};

use crate::harness::{Host, Repository, TASK};

#[tokio::test]
async fn branches_tags_and_hashes_name_commits() {
    let host = Host::new().await;
    let main = host.origin.head("main");
    let feature = host.origin.commit_to("feature/x", &[("x", "x")]);
    host.origin.git(&["tag", "-a", "v1", "-m", "One", &main]);
    host.origin.git(&["tag", "light", feature.as_str()]);
    host.origin.git(&["branch", "both", &main]);
    host.origin.git(&["tag", "both", feature.as_str()]);
    host.origin.git(&["update-ref", "refs/x/refs/heads/only", &main]);
    let url = host.url();
    for (name, commit) in [
        (None, main.as_str()),
        (Some("HEAD"), &main),
        (Some("main"), &main),
        (Some("refs/heads/main"), &main),
        (Some("feature/x"), feature.as_str()),
        (Some("v1"), &main),
        (Some("refs/tags/v1"), &main),
        (Some("light"), feature.as_str()),
        (Some("both"), &main),
        (Some(feature.as_str()), feature.as_str()),
    ] {
        let found = host.workspaces.resolve(&url, name).await.unwrap();
        assert_eq!(found.as_str(), commit, "{name:?}");
    }
    for name in ["nowhere", "only", &"ab".repeat(20), &main[..10]] {
        match host.workspaces.resolve(&url, Some(name)).await {
            Err(ResolveError::NoSuchRef { base_ref }) => assert_eq!(base_ref, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_base_moves_on_and_so_do_later_tasks() {
    let host = Host::new().await;
    let early = host.open(TASK).await;
    let later = host.origin.commit_to("main", &[("new", "n")]);
    let Source { base, .. } = host.source().await;
    assert_eq!(base, later);
    let late = host.open("late").await;
    assert_eq!((early.tree().join("new").exists(), late.tree().join("new").exists()), (false, true));
}

#[tokio::test]
async fn names_that_look_like_options_are_refused() {
    let host = Host::new().await;
    let marker = host.directory.path().join("marker");
    for name in [
        format!("--upload-pack=touch {}", marker.display()),
        "-x".into(),
        "a..b".into(),
        "a b".into(),
        String::new(),
    ] {
        let refused = host.workspaces.resolve(&host.url(), Some(&name)).await;
        assert!(matches!(refused, Err(ResolveError::InvalidRef { .. })), "{name:?}: {refused:?}");
    }
    assert!(!marker.exists());
}

#[tokio::test]
async fn a_repository_without_commits_says_so() {
    let host = Host::with(|path| Repository::empty(&path.join("git/shop.git"))).await;
    for name in [None, Some("main")] {
        let refused = host.workspaces.resolve(&host.url(), name).await;
        assert!(matches!(refused, Err(ResolveError::EmptyRepository)), "{refused:?}");
    }
}

#[tokio::test]
async fn repositories_that_do_not_answer_are_named_in_time() {
    let host = Host::new().await;
    fs::create_dir(host.directory.path().join("git/plain")).unwrap();
    // A port nobody listens on, and one where nobody answers.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let started = Instant::now();
    for text in [
        format!("{}/git/nowhere", host.directory.path().display()),
        format!("{}/git/plain", host.directory.path().display()),
        format!("http://{closed}/shop.git"),
        format!("http://{}/shop.git", silent.local_addr().unwrap()),
    ] {
        let url = RepositoryUrl::parse(&text, &host.config).unwrap();
        let refused = host.workspaces.resolve(&url, None).await;
        match refused {
            Err(ResolveError::Unreachable { detail }) => assert!(!detail.is_empty(), "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_call_that_hangs_leaves_no_process_behind() {
    let directory = tempfile::TempDir::new().unwrap();
    let (program, pid) = (directory.path().join("git"), directory.path().join("pid"));
    // What git does when it starts ssh: a child of its own, which holds on to our pipes.
    fs::write(&program, format!("#!/bin/sh\nsleep 600 &\necho $! > '{}'\nwait\n", pid.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let config = Config {
        git: program,
        timeout: Duration::from_secs(2),
        ..Config::new(directory.path().join("hive"))
    };
    match Workspaces::new(config).await {
        Err(Error::Git(error)) => assert!(matches!(error.failure, GitFailure::TimedOut(_)), "{error}"),
        other => panic!("{other:?}"),
    }
    let child = format!("/proc/{}/stat", fs::read_to_string(pid).unwrap().trim());
    let deadline = Instant::now() + Duration::from_secs(10);
    // Gone, or dead and waiting for its new parent to notice.
    while fs::read_to_string(&child).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "the child still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_missing_git_is_named_at_start() {
    let directory = tempfile::TempDir::new().unwrap();
    let config = Config { git: "/nowhere/git".into(), ..Config::new(directory.path()) };
    let refused = Workspaces::new(config).await.unwrap_err().to_string();
    assert!(refused.contains("check that git is installed"), "{refused}");
}
