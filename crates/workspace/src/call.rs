//! One git call: arguments as a list, a deadline, a cap on its output.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::git::Git;
use crate::git_error::{GitError, GitFailure};
use crate::process::{self, Output};

/// The tree without entries, which git knows without having it.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// Output that a call may print unless it says otherwise, in bytes: room for the names of some 500,000 files.
const OUTPUT_LIMIT: usize = 64 * 1024 * 1024;

/// A git call being put together.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    git: &'a Git,
    operation: &'static str,
    before: Vec<OsString>,
    arguments: Vec<OsString>,
    input: Vec<u8>,
    environment: Vec<(&'static str, String)>,
    transport: &'static str,
    limit: usize,
    timeout: Duration,
}

impl<'a> Call<'a> {
    pub(crate) fn new(git: &'a Git, operation: &'static str) -> Self {
        Self {
            git,
            operation,
            before: Vec::new(),
            arguments: Vec::new(),
            input: Vec::new(),
            environment: Vec::new(),
            transport: "",
            limit: OUTPUT_LIMIT,
            timeout: git.timeout(),
        }
    }

    /// The git directory to work in; without it git finds none.
    pub(crate) fn in_repository(mut self, directory: &Path) -> Self {
        self.before.push(joined("--git-dir=", directory.as_os_str()));
        self
    }

    /// The files to work on.
    pub(crate) fn on_tree(mut self, tree: &Path) -> Self {
        self.before.push(joined("--work-tree=", tree.as_os_str()));
        self.without_attributes()
    }

    /// Ignores every `.gitattributes`: bytes go in and out as they are, and none of them hides a change.
    pub(crate) fn without_attributes(self) -> Self {
        self.environment("GIT_ATTR_SOURCE", EMPTY_TREE)
    }

    /// One more `-c name=value`.
    pub(crate) fn set(mut self, setting: &str) -> Self {
        self.before.push("-c".into());
        self.before.push(setting.into());
        self
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn args<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.arguments.extend(arguments.iter().map(OsString::from));
        self
    }

    /// Bytes for standard input; nothing else is ever readable there.
    pub(crate) fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = bytes;
        self
    }

    pub(crate) fn environment(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// The one transport this call may use; by default none, so no local call can reach out.
    pub(crate) fn over(mut self, transport: &'static str) -> Self {
        self.transport = transport;
        // Plain http is for this host; a redirect would leave it.
        if transport == "http" { self.set("http.followRedirects=false") } else { self }
    }

    pub(crate) fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    pub(crate) fn within(mut self, timeout: Duration) -> Self {
        self.timeout = self.timeout.min(timeout);
        self
    }

    /// Runs and asks for exit code 0 and complete output.
    pub(crate) async fn run(self) -> Result<Vec<u8>, GitError> {
        let (operation, limit) = (self.operation, self.limit);
        let output = self.output().await?;
        if output.truncated {
            return Err(GitError { operation, failure: GitFailure::TooMuchOutput { limit } });
        }
        match output.code {
            Some(0) => Ok(output.stdout),
            code => Err(GitError { operation, failure: GitFailure::Exit { code, stderr: output.stderr } }),
        }
    }

    /// As [`Call::run`], for calls that print one line.
    pub(crate) async fn line(self) -> Result<String, GitError> {
        let operation = self.operation;
        let bytes = self.run().await?;
        let text = String::from_utf8(bytes)
            .map_err(|_| GitError::unreadable(operation, "text that is not UTF-8"))?;
        Ok(text.trim_end_matches('\n').to_owned())
    }

    /// Runs and reports the exit code as it is. Output past the limit ends the process.
    pub(crate) async fn output(self) -> Result<Output, GitError> {
        let (operation, timeout) = (self.operation, self.timeout);
        let started = Instant::now();
        let result = tokio::time::timeout(timeout, self.execute()).await;
        let milliseconds = started.elapsed().as_millis();
        tracing::debug!(git.operation = operation, git.milliseconds = milliseconds, "Git {operation} ended");
        match result {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(GitError { operation, failure: GitFailure::NotRun(error) }),
            Err(_) => Err(GitError { operation, failure: GitFailure::TimedOut(timeout) }),
        }
    }

    async fn execute(self) -> std::io::Result<Output> {
        let mut command = self.git.command();
        command
            .args(&self.before)
            .arg(self.operation)
            .args(&self.arguments)
            .env("GIT_ALLOW_PROTOCOL", self.transport)
            .envs(self.environment);
        process::run(command, self.input, self.limit).await
    }
}

fn joined(prefix: &str, rest: &OsStr) -> OsString {
    let mut text = OsString::from(prefix);
    text.push(rest);
    text
}
