//! What is started with which settings.

use std::{
    fs::{self, DirBuilder},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Options, stores::LocalStores};
use crate::failure::Failure;

/// Set by the settings file: the state directory of the hive that the other settings belong to.
pub(super) const SETTINGS_OF: &str = "HIVE_SETTINGS_OF";

/// How long requests of the double that can wait do so, and their batch is not looked at: nobody is charged, and whoever
/// watches wants to see the night.
const DOUBLE_BATCHES: [(&str, &str); 2] =
    [("HIVE_BATCH_AFTER_SECONDS", "1"), ("HIVE_BATCH_POLL_SECONDS", "1")];

/// Ports after that of the api, in this order.
const SCHEDULER: u16 = 1;
const DOUBLE: u16 = 2;
const WORKERS: u16 = 10;

/// Everything that the processes of one `hive dev` are told.
pub(super) struct Plan {
    state: PathBuf,
    port: u16,
    workers: u16,
    slots: u16,
    repo_roots: String,
    pub(super) token: String,
    pub(super) database_url: String,
    redis_url: String,
    pub(super) claude_url: String,
    claude_key: String,
    pub(super) double: Option<Vec<PathBuf>>,
    pub(super) double_recording: Option<PathBuf>,
    pub(super) drain_seconds: u64,
}

impl Plan {
    pub(super) fn new(options: &Options, stores: &LocalStores) -> Result<Self, Failure> {
        let state = stores.state.clone();
        for directory in ["logs", "data"] {
            // The sandbox's own users pass through `data` to the trees of their tasks.
            let mode = if directory == "data" { 0o711 } else { 0o700 };
            DirBuilder::new().recursive(true).mode(mode).create(state.join(directory))?;
        }
        let token = hive_local::random_secret_file(&state.join("token"));
        let token = token.map_err(|error| Failure::Failed(error.to_string()))?;
        let key = options.claude_key.clone().filter(|key| !key.trim().is_empty());
        let double = (key.is_none() && options.claude_url.is_none()).then(|| options.double_scripts.clone());
        if options.double_recording.is_some() && double.is_none() {
            return Err(Failure::Usage(
                "--double-recording lets the Claude double answer; unset ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL"
                    .to_owned(),
            ));
        }
        let plan = Self {
            port: options.port,
            workers: options.workers,
            slots: options.slots,
            repo_roots: roots(&options.repo_roots)?,
            token,
            database_url: stores.database_url.clone(),
            redis_url: stores.redis_url.clone(),
            claude_url: match (&options.claude_url, &double) {
                (Some(url), _) => url.clone(),
                (None, Some(_)) => format!("http://127.0.0.1:{}", options.port + DOUBLE),
                (None, None) => "https://api.anthropic.com".to_owned(),
            },
            claude_key: key.unwrap_or_else(|| "no-key-is-set".to_owned()),
            double,
            double_recording: options.double_recording.clone(),
            drain_seconds: 20,
            state,
        };
        plan.check_ports()?;
        Ok(plan)
    }

    fn check_ports(&self) -> Result<(), Failure> {
        let workers = (0..=self.workers).map(|n| WORKERS + n);
        for port in [0, SCHEDULER, DOUBLE].into_iter().chain(workers).map(|n| self.port + n) {
            if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                return Err(Failure::Failed(format!(
                    "port {port} cannot be used ({error}); choose others with --port"
                )));
            }
        }
        Ok(())
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    pub(super) fn settings_file(&self) -> PathBuf {
        self.state.join("env")
    }

    /// What must answer before the hive is ready.
    pub(super) fn ready_urls(&self) -> Vec<String> {
        let workers = (0..=self.workers).map(|n| WORKERS + n);
        let ports = [0, SCHEDULER].into_iter().chain(workers).map(|n| self.port + n);
        ports.map(|port| format!("http://127.0.0.1:{port}/health/ready")).collect()
    }

    /// Lines for a shell, readable by their owner alone.
    pub(super) fn write_settings(&self) -> Result<(), Failure> {
        let lines = [
            ("HIVE_URL", self.url()),
            ("HIVE_TOKEN", self.token.clone()),
            ("DATABASE_URL", self.database_url.clone()),
            ("REDIS_URL", self.redis_url.clone()),
            ("ANTHROPIC_BASE_URL", self.claude_url.clone()),
            (SETTINGS_OF, self.state.display().to_string()),
        ];
        let text: String = lines.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        hive_local::write_secret_file(&self.settings_file(), &text)
            .map_err(|error| Failure::Failed(error.to_string()))
    }

    /// A stopped hive has no address.
    pub(super) fn remove_settings(&self) {
        if let Err(error) = fs::remove_file(self.settings_file()) {
            eprintln!("hive: {}: {error}", self.settings_file().display());
        }
    }

    /// The processes: a name for the log, and how each is started.
    pub(super) fn processes(&self) -> Result<Vec<(String, Command)>, Failure> {
        let mut all = Vec::new();
        if let Some(scripts) = &self.double {
            let mut double = program("claude-double")?;
            double.args(["--port", &(self.port + DOUBLE).to_string()]);
            double.arg("--ledger").arg(self.state.join("double-ledger.jsonl"));
            if let Some(recording) = &self.double_recording {
                double.arg("--recording").arg(recording);
            } else {
                double.arg("--default-part");
                for script in scripts {
                    double.arg("--script").arg(script);
                }
            }
            all.push(("double".to_owned(), double));
        }
        let mut api = self.own("hive-api")?;
        api.env("HIVE_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("HIVE_TOKEN", &self.token)
            .env("HIVE_PROVIDER", if self.double.is_some() { "double" } else { "claude" });
        all.push(("api".to_owned(), api));
        let mut scheduler = self.own("hive-scheduler")?;
        scheduler.env("HIVE_SCHEDULER_LISTEN", format!("127.0.0.1:{}", self.port + SCHEDULER));
        all.push(("scheduler".to_owned(), scheduler));
        // One more than asked for: it takes only what other workers died over.
        for n in 0..=self.workers {
            let isolated = n == self.workers;
            let name = if isolated { "worker-isolated".to_owned() } else { format!("worker-{}", n + 1) };
            let mut worker = self.own("hive-worker")?;
            worker
                .env("HIVE_WORKER_LISTEN", format!("127.0.0.1:{}", self.port + WORKERS + n))
                .env("HIVE_WORKER_NAME", &name)
                .env("HIVE_ISOLATED", isolated.to_string())
                .env("HIVE_SLOTS", self.slots.to_string())
                .env("HIVE_CHECKPOINTS", self.state.join("checkpoints"))
                .env("HIVE_DRAIN_SECONDS", self.drain_seconds.to_string())
                .env("ANTHROPIC_BASE_URL", &self.claude_url)
                .env("ANTHROPIC_API_KEY", &self.claude_key);
            worker.envs(batches(self.double.is_some(), |name| std::env::var_os(name).is_some()));
            all.push((name, worker));
        }
        Ok(all)
    }

    fn own(&self, name: &str) -> Result<Command, Failure> {
        let mut command = program(name)?;
        command
            .env("DATABASE_URL", &self.database_url)
            .env("REDIS_URL", &self.redis_url)
            .env("HIVE_DATA", self.state.join("data"))
            .env("HIVE_REPO_ROOTS", &self.repo_roots);
        Ok(command)
    }
}

/// What workers are told of batches, unless somebody told them already.
fn batches(
    double: bool,
    is_set: impl Fn(&str) -> bool,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    DOUBLE_BATCHES.into_iter().filter(move |(name, _)| double && !is_set(name))
}

/// A program of ours: it lies beside this one.
fn program(name: &str) -> Result<Command, Failure> {
    let here = std::env::current_exe()?;
    let path = here.parent().unwrap_or(Path::new(".")).join(name);
    if !path.is_file() {
        return Err(Failure::Failed(format!(
            "{} is missing; build the workspace first (make run does)",
            path.display()
        )));
    }
    let mut command = Command::new(path);
    // Only who needs a secret gets it.
    command.env_remove("ANTHROPIC_API_KEY").env_remove("HIVE_TOKEN");
    Ok(command)
}

fn roots(given: &[PathBuf]) -> Result<String, Failure> {
    let mut roots = given.to_vec();
    if roots.is_empty() {
        roots.push(std::env::current_dir()?);
        roots.push(std::env::temp_dir());
        roots.extend(std::env::home_dir().filter(|home| home.is_absolute()));
    }
    let joined =
        std::env::join_paths(roots).map_err(|error| Failure::Usage(format!("--repo-roots: {error}")))?;
    joined.into_string().map_err(|_| Failure::Usage("--repo-roots: a path is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_of_the_double_does_not_wait_for_company_unless_it_is_told_to() {
        assert!(batches(true, |_| false).eq(DOUBLE_BATCHES));
        let told = batches(true, |name| name == "HIVE_BATCH_AFTER_SECONDS");
        assert!(told.eq([("HIVE_BATCH_POLL_SECONDS", "1")]));
        assert_eq!(batches(false, |_| false).count(), 0, "Claude's batches are for half the price");
    }
}
