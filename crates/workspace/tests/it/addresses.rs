use std::fs;
use std::os::unix::fs::symlink;

use hive_workspace::{RepositoryUrl, UrlError};

use crate::harness::{Host, Repository, TASK};

#[tokio::test]
async fn addresses_that_are_safe_are_accepted() {
    let host = Host::new().await;
    let path = host.origin.path.to_str().unwrap();
    for text in [
        "https://github.com/owner/shop.git",
        "https://[2001:db8::1]:8443/shop",
        "http://127.0.0.1:3000/shop.git",
        "http://localhost/shop.git",
        "http://[::1]/shop.git",
        "ssh://git@github.com/owner/shop.git",
        "ssh://git.example.org:2222/shop.git",
        "git@github.com:owner/shop.git",
        path,
        &format!("file://{path}"),
        &format!("{path}/not/there/yet"),
    ] {
        let parsed = RepositoryUrl::parse(text, &host.config);
        assert!(parsed.is_ok(), "{text}: {parsed:?}");
    }
    let (plain, url) = (host.url(), RepositoryUrl::parse(&format!("file://{path}"), &host.config).unwrap());
    assert_eq!(plain, url, "one repository, one mirror");
}

#[tokio::test]
async fn addresses_that_could_do_something_else_are_refused() {
    let host = Host::new().await;
    let path = host.origin.path.to_str().unwrap();
    for text in [
        "",
        "--upload-pack=touch /x",
        "-oProxyCommand=x",
        "ext::sh -c touch% /x",
        "ext::sh",
        "fd::7",
        "transport::address",
        "git://example.org/shop.git",
        "ftp://example.org/shop.git",
        "http://example.org/shop.git",
        "http://169.254.169.254/latest",
        "http://127.0.0.1.example.org/shop",
        "https://user:password@example.org/shop.git",
        "https://token@example.org/shop.git",
        "https://example.org/shop.git?x=1",
        "https:///shop.git",
        "https://example.org",
        "ssh://git:password@example.org/shop.git",
        "ssh://-oProxyCommand=x/shop.git",
        "ssh://-x@example.org/shop.git",
        "ssh://example.org/-x",
        "-x@example.org:shop.git",
        "git@-oProxyCommand=x:shop.git",
        "git@example.org:-x",
        "git@example.org:",
        "example.org:shop.git",
        "../shop.git",
        "shop.git",
        "C:\\shop",
        "https://example.org/shop\n.git",
        "https://example.org/shop\0.git",
        "file://example.org/srv/git/shop.git",
        &format!("{path}/../../../etc"),
        &format!("file://{path}/%2e%2e/%2e%2e/x%00"),
        &"a".repeat(3000),
    ] {
        let parsed = RepositoryUrl::parse(text, &host.config);
        assert!(parsed.is_err(), "{text:?}: {parsed:?}");
    }
}

#[tokio::test]
async fn paths_stay_below_the_configured_roots() {
    let host = Host::new().await;
    let directory = host.directory.path();
    let secret = Repository::bare(&directory.join("secret.git"));
    let parse = |path: &str| RepositoryUrl::parse(path, &host.config);
    let outside =
        |path: &std::path::Path| matches!(parse(path.to_str().unwrap()), Err(UrlError::OutsideRoots { .. }));
    assert!(outside(&secret.path));
    assert!(outside(&directory.join("gitignored")), "a common prefix is not below");
    symlink(&secret.path, directory.join("git/escape.git")).unwrap();
    assert!(outside(&directory.join("git/escape.git")));
    symlink("../secret.git", directory.join("git/relative.git")).unwrap();
    assert!(outside(&directory.join("git/relative.git")));
    symlink(directory, directory.join("git/up")).unwrap();
    assert!(outside(&directory.join("git/up/secret.git")));
    symlink("shop.git", directory.join("git/alias.git")).unwrap();
    assert!(!outside(&directory.join("git/alias.git")), "a link inside stays inside");

    fs::create_dir(directory.join("git/pointer")).unwrap();
    fs::write(directory.join("git/pointer/.git"), format!("gitdir: {}\n", secret.path.display())).unwrap();
    assert!(matches!(parse(directory.join("git/pointer").to_str().unwrap()), Err(UrlError::Unusable(_))));
    fs::write(directory.join("git/file"), "").unwrap();
    assert!(matches!(parse(directory.join("git/file").to_str().unwrap()), Err(UrlError::Unusable(_))));
}

#[tokio::test]
async fn a_link_put_there_later_leads_nowhere() {
    let host = Host::new().await;
    let secret = Repository::bare(&host.directory.path().join("secret.git"));
    let url = host.url();
    let source = host.source().await;
    fs::rename(&host.origin.path, host.directory.path().join("moved")).unwrap();
    symlink(&secret.path, &host.origin.path).unwrap();
    assert!(host.workspaces.resolve(&url, None).await.is_err());
    let workspace = host.another_host().await.open(TASK, source, None).await;
    assert!(workspace.is_err(), "{workspace:?}");
}
