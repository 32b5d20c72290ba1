//! Repositories as files, and back.

use std::fs;

use hive_workspace::{Error, RepositoryUrl};

use crate::harness::Host;

fn url(host: &Host, name: &str) -> RepositoryUrl {
    let path = host.directory.path().join("git").join(name);
    RepositoryUrl::parse(path.to_str().unwrap(), &host.config).unwrap()
}

#[tokio::test]
async fn a_repository_comes_back_with_every_reference_and_only_where_there_is_nothing() {
    let host = Host::new().await;
    let origin = &host.origin;
    let main = origin.git(&["rev-parse", "main"]);
    origin.git(&["branch", "a/b", "main"]);
    origin.git(&[
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "tag",
        "--annotate",
        "v1",
        "main",
        "--message",
        "one",
    ]);
    origin.git(&["update-ref", "refs/notes/kept", "main"]);
    let file = host.directory.path().join("first.bundle");
    let first = host.workspaces.bundle(&host.url(), &file).await.unwrap();
    assert_eq!(first.head.as_deref(), Some("refs/heads/main"));
    let names: Vec<&str> = first.all.keys().map(String::as_str).collect();
    assert_eq!(names, ["refs/heads/a/b", "refs/heads/main", "refs/notes/kept", "refs/tags/v1"]);
    assert_eq!(first.all["refs/heads/main"].as_str(), main);
    assert_ne!(first.all["refs/tags/v1"].as_str(), main, "an annotated tag is a thing of its own");

    // What is gone there does not stand in the way of a name above it, and is not in the next one.
    origin.git(&["branch", "--delete", "--force", "a/b"]);
    origin.git(&["branch", "a", "main"]);
    let file = host.directory.path().join("second.bundle");
    let second = host.workspaces.bundle(&host.url(), &file).await.unwrap();
    assert!(second.all.contains_key("refs/heads/a") && !second.all.contains_key("refs/heads/a/b"));

    let place = url(&host, "deep/er/copy.git");
    assert_eq!(host.workspaces.references_of(&place).await.unwrap(), None);
    host.workspaces.put_back(&place, Some(&file), &second).await.unwrap();
    assert_eq!(host.workspaces.references_of(&place).await.unwrap(), Some(second.clone()));
    let taken = host.workspaces.put_back(&place, Some(&file), &second).await;
    assert!(matches!(taken, Err(Error::Io { .. })), "{taken:?}");
    assert_eq!(host.workspaces.references_of(&place).await.unwrap(), Some(second));

    // References that the bundle does not have.
    let other = url(&host, "other.git");
    let missing = host.workspaces.put_back(&other, Some(&file), &first).await;
    assert!(matches!(missing, Err(Error::Unreachable { .. })), "{missing:?}");
    assert!(!host.directory.path().join("git/other.git").exists());
}

#[tokio::test]
async fn one_without_references_needs_no_file_and_a_link_leads_nowhere() {
    let host = Host::new().await;
    let file = host.directory.path().join("nothing.bundle");
    let empty = url(&host, "empty.git");
    let nothing =
        hive_workspace::References { head: Some("refs/heads/trunk".to_owned()), ..Default::default() };
    host.workspaces.put_back(&empty, None, &nothing).await.unwrap();
    assert!(host.workspaces.bundle(&empty, &file).await.unwrap().all.is_empty());
    assert!(!file.exists());

    let within = url(&host, "out/below/copy.git");
    let outside = host.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, host.directory.path().join("git/out")).unwrap();
    let refused = host.workspaces.put_back(&within, None, &nothing).await;
    assert!(matches!(refused, Err(Error::Io { .. })), "{refused:?}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}
