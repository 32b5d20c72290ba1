//! One process of a hive.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use hive_local::{BoundChild, Signal, spawn_bound};

use crate::{log, wait::within};

/// What the first line about the address looks like, in any of our processes.
const SERVING: &str = "http://127.0.0.1:";
/// A debug build on a busy machine, with a sandbox to probe.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A running process of ours. It ends with the test, however that ends.
pub struct Program {
    /// Its name in the log directory, such as `worker-1`.
    pub name: String,
    child: BoundChild,
    log: PathBuf,
    url: Option<String>,
    /// The story ended it, or knows that it ends.
    pub(crate) ended_by_story: bool,
}

impl Program {
    /// Starts `hive-<kind>`, which lies beside the test executable's directory.
    pub(crate) fn start(kind: &str, name: String, env: &BTreeMap<String, String>, logs: &Path) -> Self {
        let log = logs.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new(executable(kind));
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("RUST_BACKTRACE", "0")
            .envs(env)
            .current_dir(logs)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file);
        let child = spawn_bound(command).unwrap();
        Self { name, child, log, url: None, ended_by_story: false }
    }

    /// Waits until it listens, and for `/health/ready` to answer 200.
    pub(crate) async fn ready(&mut self, http: &reqwest::Client) {
        let what = format!("{} is ready", self.name);
        within(STARTS_WITHIN, &what, async || self.look(http).await).await;
    }

    async fn look(&mut self, http: &reqwest::Client) -> Option<()> {
        if let Ok(Some(status)) = self.child.try_wait() {
            panic!("{} ended with {status} while it started", self.name);
        }
        if self.url.is_none() {
            self.url = address(&self.log);
        }
        let ready = format!("{}/health/ready", self.url.as_ref()?);
        let answer = http.get(ready).timeout(Duration::from_secs(5)).send().await.ok()?;
        answer.status().is_success().then_some(())
    }

    /// `http://127.0.0.1:port`.
    ///
    /// # Panics
    /// Before it is ready.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_deref().unwrap()
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, of this process alone.
    pub fn kill9(&mut self) {
        self.ended_by_story = true;
        self.child.signal(Signal::Kill);
        self.child.wait_within(Duration::from_secs(10)).unwrap();
    }

    /// SIGSTOP.
    pub fn freeze(&mut self) {
        self.child.signal(Signal::Stop);
    }

    /// SIGCONT.
    pub fn thaw(&mut self) {
        self.child.signal(Signal::Continue);
    }

    /// SIGTERM, without waiting.
    pub fn ask_to_end(&mut self) {
        self.ended_by_story = true;
        self.child.signal(Signal::Terminate);
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// The end within `limit`, without blocking the story.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ends(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        within(limit, &what, async || self.ended()).await
    }

    /// Ends it at the end of a story: its exit code within `limit`, or what is wrong.
    pub(crate) fn finish(&mut self, limit: Duration) -> Result<(), String> {
        match self.child.wait_within(limit) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("{} ended with {status}", self.name)),
            None => {
                self.child.kill();
                Err(format!("{} did not end within {limit:?} of SIGTERM", self.name))
            }
        }
    }

    /// Everything it logged.
    #[must_use]
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its log, line by line.
    #[must_use]
    pub fn log(&self) -> Vec<log::LogLine> {
        log::lines(&self.log_text())
    }
}

/// Runs `hive-<kind>` with these variables and no others until it ends by itself, and says how and with which words.
///
/// # Panics
/// When it does not end within a minute: it should have refused to start.
#[must_use]
pub fn ends_at_once(kind: &str, env: &BTreeMap<String, String>) -> (ExitStatus, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(executable(kind));
    command.env_clear().envs(env).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.reopen().unwrap());
    let mut child = spawn_bound(command).unwrap();
    let status = child.wait_within(STARTS_WITHIN).expect("it started");
    (status, std::fs::read_to_string(log.path()).unwrap())
}

/// Where a log says that its process listens.
fn address(log: &Path) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    let line = text.lines().find(|line| line.contains("Serving") && line.contains(SERVING))?;
    let after = &line[line.find(SERVING)? + SERVING.len()..];
    let port: String = after.chars().take_while(char::is_ascii_digit).collect();
    Some(format!("{SERVING}{port}"))
}

/// The binary of this build. `make test` and `cargo build --workspace --bins` make it.
fn executable(kind: &str) -> PathBuf {
    binary(&format!("hive-{kind}"))
}

/// The same by its whole name.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    // target/debug/deps/it-… → target/debug/hive-…
    let path = own.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.is_file(), "{} is missing: run `cargo build --workspace --bins` first", path.display());
    path
}
