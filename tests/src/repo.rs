//! Repositories that tasks work on.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::hive::TestHive;

/// A repository with one commit on `main`.
pub struct Repo {
    /// Where it lies.
    pub path: PathBuf,
}

impl TestHive {
    /// A repository of these files.
    ///
    /// # Panics
    /// When git refuses.
    #[must_use]
    pub fn repo(&self, name: &str, files: &[(&str, &str)]) -> Repo {
        let repo = Repo { path: self.path("repos").join(name) };
        std::fs::create_dir(&repo.path).unwrap();
        for (path, text) in files {
            let path = repo.path.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo.git(&["add", "--all"]);
        repo.git(&["commit", "--quiet", "--allow-empty", "--message", "Begin"]);
        repo
    }

    /// The repository of `examples/failing-test`, with the `first` or the `other` bug.
    ///
    /// # Panics
    /// When its script fails.
    #[must_use]
    pub fn example_repo(&self, bug: &str) -> Repo {
        let repo = Repo { path: self.path("repos").join(bug) };
        let mut make = Command::new(example("make-repo.sh"));
        run(make.arg(&repo.path).args(["--bug", bug]));
        repo
    }
}

/// A file of `examples/failing-test`.
#[must_use]
pub fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/failing-test").join(file)
}

impl Repo {
    /// What a task names as its repository.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "url": format!("file://{}", self.path.display()) })
    }

    /// What git prints, without the white space around it.
    ///
    /// # Panics
    /// When git fails.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = run(git().arg("-C").arg(&self.path).args(arguments));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The commit that a name stands for.
    #[must_use]
    pub fn commit(&self, name: &str) -> String {
        self.git(&["rev-parse", "--verify", &format!("{name}^{{commit}}")])
    }

    /// The tree that a name stands for.
    #[must_use]
    pub fn tree(&self, name: &str) -> String {
        self.git(&["rev-parse", "--verify", &format!("{name}^{{tree}}")])
    }

    /// All branches.
    #[must_use]
    pub fn branches(&self) -> Vec<String> {
        let names = self.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
        names.lines().map(str::to_owned).collect()
    }

    /// The files of a branch.
    #[must_use]
    pub fn files(&self, branch: &str) -> Vec<String> {
        self.git(&["ls-tree", "-r", "--name-only", branch]).lines().map(str::to_owned).collect()
    }

    /// A file of a branch, byte for byte.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn file(&self, branch: &str, path: &str) -> String {
        let output = run(git().arg("-C").arg(&self.path).arg("show").arg(format!("{branch}:{path}")));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The commits that a branch has and `main` has not, oldest first.
    #[must_use]
    pub fn commits(&self, branch: &str) -> Vec<String> {
        self.git(&["rev-list", "--reverse", &format!("main..{branch}")]).lines().map(str::to_owned).collect()
    }

    /// A trailer of a commit.
    #[must_use]
    pub fn trailer(&self, commit: &str, name: &str) -> String {
        let format = format!("--format=%(trailers:key={name},valueonly)");
        self.git(&["log", "-1", &format, commit])
    }

    /// A clone with this branch checked out.
    ///
    /// # Panics
    /// When git refuses.
    #[must_use]
    pub fn clone_of(&self, branch: &str) -> TempDir {
        let directory = TestHive::elsewhere();
        run(git().args(["clone", "--quiet", "--branch", branch]).arg(&self.path).arg(directory.path()));
        directory
    }
}

/// The branch of a task.
#[must_use]
pub fn branch(task: Uuid) -> String {
    format!("hive/{task}")
}

/// Git without the machine's own settings.
fn git() -> Command {
    let mut git = Command::new("git");
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(variable);
    }
    for (name, value) in [("NAME", "Story"), ("EMAIL", "story@example.invalid")] {
        git.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    git
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
