//! One place in the fleet: a program that is killed and started again in the same place.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use hive_local::{BoundChild, Signal, spawn_bound};

/// What runs in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Worker,
    Api,
    Scheduler,
}

impl Kind {
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Worker => "hive-worker",
            Self::Api => "hive-api",
            Self::Scheduler => "hive-scheduler",
        }
    }
}

/// A place and what runs in it now.
pub(crate) struct Place {
    pub(crate) kind: Kind,
    /// Its name, such as `worker-1`.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) url: String,
    /// How often it was started.
    pub(crate) lives: usize,
    /// A freeze that has not ended.
    pub(crate) frozen: bool,
    program: PathBuf,
    env: BTreeMap<String, String>,
    log: PathBuf,
    child: BoundChild,
    /// When this life began.
    born: Instant,
}

impl Place {
    pub(crate) fn start(
        kind: Kind,
        programs: &Path,
        name: String,
        url: String,
        env: BTreeMap<String, String>,
        logs: &Path,
    ) -> anyhow::Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let program = programs.join(kind.program());
        let child = spawn(&program, &env, &log)?;
        Ok(Self { kind, name, url, lives: 1, frozen: false, program, env, log, child, born: Instant::now() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Starts the next life when this one has ended. `Some`: it had, and how, with its last words when it failed.
    pub(crate) fn revive(&mut self) -> anyhow::Result<Option<String>> {
        let Some(status) = self.child.try_wait()? else { return Ok(None) };
        let how = match status.code() {
            None | Some(0) => status.to_string(),
            Some(_) => format!("{status}: {}", self.last_words()),
        };
        self.child = spawn(&self.program, &self.env, &self.log)?;
        self.born = Instant::now();
        self.lives += 1;
        self.frozen = false;
        Ok(Some(how))
    }

    /// The end of its log.
    fn last_words(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }

    /// `kill -9`, of this process alone, and the next life.
    pub(crate) fn kill9(&mut self) -> anyhow::Result<()> {
        self.child.signal(Signal::Kill);
        self.child.wait_within(Duration::from_secs(10)).context("a killed process did not end")?;
        self.revive()?;
        Ok(())
    }

    /// Leaves a setting out of the next lives.
    pub(crate) fn forget(&mut self, setting: &str) {
        self.env.remove(setting);
    }

    /// SIGTERM; the next life begins when it has ended, which [`Place::revive`] notices.
    pub(crate) fn ask_to_end(&mut self) {
        self.child.signal(Signal::Terminate);
    }

    /// It may listen to no signal yet, and would end as any program does.
    pub(crate) fn has_only_just_begun(&self) -> bool {
        self.born.elapsed() < Duration::from_secs(1)
    }

    pub(crate) fn freeze(&mut self) {
        self.child.signal(Signal::Stop);
        self.frozen = true;
    }

    pub(crate) fn thaw(&mut self) {
        self.child.signal(Signal::Continue);
        self.frozen = false;
    }

    pub(crate) fn end(&mut self) {
        self.child.terminate(Duration::from_secs(25));
    }

    /// Lines of its log that say that it panicked.
    pub(crate) fn panics(&self) -> usize {
        let log = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log)
            .lines()
            .filter(|line| line.contains("A panic: this is a defect"))
            .count()
    }
}

fn spawn(program: &Path, env: &BTreeMap<String, String>, log: &Path) -> anyhow::Result<BoundChild> {
    let log = File::options().create(true).append(true).open(log)?;
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs(env)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    spawn_bound(command).with_context(|| format!("{} cannot be started", program.display()))
}
