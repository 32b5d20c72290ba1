use std::fs;
use std::sync::Arc;

use hive_workspace::Source;

use crate::harness::{Host, OTHER, TASK, entries, message, write};

#[tokio::test]
async fn two_tasks_on_one_repository_never_see_each_others_files() {
    let host = Host::new().await;
    let (mut one, mut two) = (host.open(TASK).await, host.open(OTHER).await);
    write(&one, "one.txt", "1");
    write(&two, "two.txt", "2");
    one.commit(message("One")).await.unwrap().unwrap();
    two.commit(message("Two")).await.unwrap().unwrap();
    one.push(None).await.unwrap();
    two.push(None).await.unwrap();
    assert_eq!(entries(one.tree()), ["README.md", "one.txt"]);
    assert_eq!(entries(two.tree()), ["README.md", "two.txt"]);
    assert_eq!(host.origin.files(one.head()), ["README.md", "one.txt"]);
    assert_eq!(host.origin.files(two.head()), ["README.md", "two.txt"]);
}

#[tokio::test]
async fn many_tasks_open_at_once_and_fetch_once() {
    let host = Arc::new(Host::new().await);
    let Source { url, base } = host.source().await;
    let mut runs = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (host, source) = (Arc::clone(&host), Source { url: url.clone(), base: base.clone() });
        runs.spawn(async move {
            let mut workspace = host.workspaces.open(&format!("task-{n}"), source, None).await.unwrap();
            write(&workspace, "n", &n.to_string());
            workspace.commit(message("Count")).await.unwrap().unwrap();
            workspace.push(None).await.unwrap();
            assert_eq!(entries(workspace.tree()), ["README.md", "n"]);
        });
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
    for n in 0..20 {
        assert_eq!(host.origin.git(&["show", &format!("hive/task-{n}:n")]), n.to_string());
    }
    // A fetch that found the commit there already would have had to reach the repository.
    fs::rename(&host.origin.path, host.directory.path().join("gone")).unwrap();
    host.workspaces.open(TASK, Source { url, base }, None).await.unwrap();
}

#[tokio::test]
async fn the_tree_has_no_git_directory_and_ours_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let host = Host::new().await;
    let workspace = host.open(TASK).await;
    assert_eq!(entries(workspace.tree()), ["README.md"]);
    let mode = |name: &str| fs::metadata(host.config.root.join(name)).unwrap().permissions().mode() & 0o777;
    for name in ["mirrors", "home", "quarantine", &format!("tasks/{TASK}/git")] {
        assert_eq!(mode(name), 0o700, "{name}");
    }
}
