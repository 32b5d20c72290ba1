use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hive_workspace::{CommitHash, CommitMessage, Config, RepositoryUrl, Source, Workspace, Workspaces};
use tempfile::TempDir;

pub const TASK: &str = "0197a1b2-0000-7000-8000-000000000001";
pub const OTHER: &str = "0197a1b2-0000-7000-8000-000000000002";

/// A host with one repository on it, both gone at the end of the test.
pub struct Host {
    pub directory: TempDir,
    pub config: Config,
    pub workspaces: Workspaces,
    pub origin: Repository,
}

impl Host {
    /// A host whose repository is bare and has one commit with `README.md` on `main`.
    pub async fn new() -> Self {
        Self::with(|path| Repository::bare(&path.join("git/shop.git"))).await
    }

    pub async fn with(origin: impl FnOnce(&Path) -> Repository) -> Self {
        let directory = TempDir::new().unwrap();
        fs::create_dir(directory.path().join("git")).unwrap();
        let origin = origin(directory.path());
        let config = Config {
            file_roots: vec![directory.path().join("git")],
            timeout: Duration::from_secs(60),
            ..Config::new(directory.path().join("hive"))
        };
        let workspaces = Workspaces::new(config.clone()).await.unwrap();
        Self { directory, config, workspaces, origin }
    }

    /// Another host: its own root, the same repository.
    pub async fn another_host(&self) -> Workspaces {
        let config = Config { root: self.directory.path().join("elsewhere"), ..self.config.clone() };
        Workspaces::new(config).await.unwrap()
    }

    pub fn url(&self) -> RepositoryUrl {
        RepositoryUrl::parse(self.origin.path.to_str().unwrap(), &self.config).unwrap()
    }

    pub async fn source(&self) -> Source {
        let base = self.workspaces.resolve(&self.url(), None).await.unwrap();
        Source { url: self.url(), base }
    }

    pub async fn open(&self, task: &str) -> Workspace {
        self.workspaces.open(task, self.source().await, None).await.unwrap()
    }
}

/// A repository as its owner sees it.
pub struct Repository {
    pub path: PathBuf,
}

impl Repository {
    pub fn empty(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        git(path, &["init", "-q", "--bare", "-b", "main", "."]);
        Self { path: path.to_owned() }
    }

    pub fn bare(path: &Path) -> Self {
        let repository = Self::empty(path);
        repository.commit_to("main", &[("README.md", "A shop.\n")]);
        repository
    }

    pub fn with_files(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        git(path, &["init", "-q", "-b", "main", "."]);
        fs::write(path.join("README.md"), "A shop.\n").unwrap();
        git(path, &["add", "."]);
        git(path, &["commit", "-q", "-m", "Begin"]);
        Self { path: path.to_owned() }
    }

    /// Someone else commits to a branch, by way of a clone of their own.
    pub fn commit_to(&self, branch: &str, files: &[(&str, &str)]) -> CommitHash {
        let clone = TempDir::new().unwrap();
        let at = clone.path();
        git(at, &["init", "-q", "-b", branch, "."]);
        let origin = self.path.to_str().unwrap();
        if !self.git(&["for-each-ref", &format!("refs/heads/{branch}")]).is_empty() {
            git(at, &["pull", "-q", origin, branch]);
        }
        for (name, text) in files {
            fs::create_dir_all(at.join(name).parent().unwrap()).unwrap();
            fs::write(at.join(name), text).unwrap();
        }
        git(at, &["add", "-A"]);
        git(at, &["commit", "-q", "-m", "By a person"]);
        git(at, &["push", "-q", origin, branch]);
        CommitHash::parse(&git(at, &["rev-parse", "HEAD"])).unwrap()
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.path, arguments)
    }

    /// Where a branch is, empty if it does not exist.
    pub fn head(&self, branch: &str) -> String {
        self.git(&["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{branch}")])
    }

    pub fn files(&self, commit: &CommitHash) -> Vec<String> {
        let listing =
            self.git(&["-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", commit.as_str()]);
        listing.lines().map(str::to_owned).collect()
    }
}

/// Git as a person would run it, without this machine's configuration.
pub fn git(at: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=A Person", "-c", "user.email=person@example.org", "-c", "safe.directory=*"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .current_dir(at)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

pub fn message(subject: &str) -> CommitMessage {
    CommitMessage { subject: subject.to_owned(), ..CommitMessage::default() }
}

pub fn write(workspace: &Workspace, name: &str, text: &str) {
    let path = workspace.tree().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// All files below a directory, relative, sorted; directories end with a slash.
pub fn entries(directory: &Path) -> Vec<String> {
    fn visit(root: &Path, at: &Path, into: &mut Vec<String>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                into.push(format!("{name}/"));
                visit(root, &path, into);
            } else {
                into.push(name);
            }
        }
    }
    let mut found = Vec::new();
    visit(directory, directory, &mut found);
    found.sort();
    found
}
