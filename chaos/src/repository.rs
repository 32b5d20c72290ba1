//! The repository that some of the tasks work on, and what must lie on their branches.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

/// What each turn of such a task adds.
const LINES: &str = "first\nsecond\n";

pub(crate) struct Repository {
    path: PathBuf,
}

impl Repository {
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir(path)?;
        std::fs::write(path.join("README"), "Shared by all.\n")?;
        let repository = Self { path: path.to_owned() };
        repository.git(&["init", "--quiet", "--initial-branch=main"])?;
        repository.git(&["add", "--all"])?;
        repository.git(&["commit", "--quiet", "--message", "Begin"])?;
        Ok(repository)
    }

    /// What a task names.
    pub(crate) fn json(&self) -> Value {
        json!({ "url": format!("file://{}", self.path.display()) })
    }

    /// What is wrong with the branch of a task that succeeded: each effect is there once, each in its commit.
    pub(crate) fn flaw(&self, task: Uuid, commits: usize) -> Option<String> {
        let branch = format!("hive/{task}");
        let file = match self.git(&["show", &format!("{branch}:lines")]) {
            Ok(file) => file,
            Err(error) => return Some(format!("branch {branch} cannot be read: {error}")),
        };
        if file != LINES {
            return Some(format!("branch {branch} holds {file:?}"));
        }
        match self.git(&["rev-list", "--count", &format!("main..{branch}")]) {
            Ok(count) if count.trim() == commits.to_string() => None,
            other => Some(format!("branch {branch} has {other:?} commits and not {commits}")),
        }
    }

    fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new("git");
        for (name, value) in [("NAME", "Chaos"), ("EMAIL", "chaos@example.invalid")] {
            command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
        }
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        let output =
            command.arg("-C").arg(&self.path).args(arguments).output().context("git cannot be run")?;
        ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}
