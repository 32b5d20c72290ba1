//! The settings of a worker. Each has an option and a variable of the same name.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::ensure;
use clap::{Parser, ValueEnum};
use hive_agent::{Models, RateLimits, Windows};
use url::Url;

/// What stands in the place of a key where only the double answers.
const NO_KEY: &str = "no-key-is-set";

/// Runs agent tasks: takes tickets from Redis, claims their tasks in Postgres and works on them.
#[derive(Clone, Parser)]
#[command(name = "hive-worker", version)]
pub struct Config {
    /// Where Postgres is.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// Where Redis is.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: String,
    /// First part of every Redis key.
    #[arg(long, env = "HIVE_REDIS_PREFIX", default_value = "hive")]
    pub redis_prefix: String,
    /// Where /metrics and /health are served.
    #[arg(long, env = "HIVE_WORKER_LISTEN", default_value = "127.0.0.1:7701")]
    pub listen: SocketAddr,
    /// A name for people; the process id is added.
    #[arg(long, env = "HIVE_WORKER_NAME", default_value = "worker")]
    pub name: String,
    /// Tasks that run at the same time.
    #[arg(long, env = "HIVE_SLOTS", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub slots: u16,
    /// Take only tasks whose workers died, one at a time: what kills a worker kills this one, and nothing beside it.
    #[arg(long, env = "HIVE_ISOLATED", default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub isolated: bool,
    /// Seconds that running steps get to end after SIGTERM.
    #[arg(long, env = "HIVE_DRAIN_SECONDS", default_value_t = 20)]
    pub drain_seconds: u64,
    /// The service that speaks the Messages API.
    #[arg(long, env = "ANTHROPIC_BASE_URL", default_value = "https://api.anthropic.com")]
    pub claude_url: Url,
    /// The credential for it.
    #[arg(long, env = "ANTHROPIC_API_KEY", hide_env_values = true)]
    pub claude_key: String,
    /// Model ids by class, as class=id,class=id.
    #[arg(
        long,
        env = "HIVE_MODELS",
        default_value = "work=claude-sonnet-5-5,hard=claude-opus-5-5,light=claude-haiku-5-5"
    )]
    pub models: Models,
    /// Tokens that one reply may have.
    #[arg(long, env = "HIVE_MAX_OUTPUT_TOKENS", default_value_t = 16_000)]
    pub max_output_tokens: u32,
    /// Seconds without content after which a call is given up; pings do not count.
    #[arg(long, env = "HIVE_CLAUDE_IDLE_SECONDS", default_value = "60", value_parser = seconds)]
    pub claude_idle: Duration,
    /// Seconds that a call may take in all.
    #[arg(long, env = "HIVE_CLAUDE_TOTAL_SECONDS", default_value = "600", value_parser = seconds)]
    pub claude_total: Duration,
    /// Seconds that a task is parked when the provider fails and names no time.
    #[arg(long, env = "HIVE_CLAUDE_PARK_SECONDS", default_value = "60", value_parser = seconds)]
    pub claude_park: Duration,
    /// The longest random wait in seconds after a first failed try; it doubles with each further one.
    #[arg(long, env = "HIVE_CLAUDE_RETRY_SECONDS", default_value = "0.5", value_parser = seconds)]
    pub claude_retry: Duration,
    /// What the fleet may ask of a model in a minute, as model=requests/input/output tokens, separated by commas; 0, and
    /// what is not named, goes by the provider's headers.
    #[arg(long, env = "HIVE_CLAUDE_LIMITS", default_value = "")]
    pub claude_limits: RateLimits,
    /// Seconds that the breaker of a model lets nobody try after it opened.
    #[arg(long, env = "HIVE_BREAKER_SECONDS", default_value = "10", value_parser = seconds)]
    pub breaker_pause: Duration,
    /// Failures of a model in a row that open its breaker; so many within 30 s among twice as many calls do so too.
    #[arg(long, env = "HIVE_BREAKER_FAILURES", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub breaker_failures: u32,
    /// How many of the fleet's calls of a minute may repeat a failed one, in percent; ten always may.
    #[arg(long, env = "HIVE_REPEATS_PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub repeats_percent: u32,
    /// Seconds between two calls that try whether a stopped key is good again.
    #[arg(long, env = "HIVE_KEY_PROBE_SECONDS", default_value = "300", value_parser = seconds)]
    pub key_probe: Duration,
    /// Tokens that a conversation may have before it goes on in a new segment, as model=tokens,default=tokens.
    #[arg(long, env = "HIVE_WINDOWS", default_value = "default=200000,claude-haiku-5-5=95000")]
    pub windows: Windows,
    /// Let the service write the summary of a conversation that is put aside, where it can; else the model is asked.
    #[arg(long, env = "HIVE_SERVER_COMPACTION", default_value_t = false, action = clap::ArgAction::Set)]
    pub server_compaction: bool,
    /// Requests that wait for a batch and are sent at once, and the most that one batch holds.
    #[arg(long, env = "HIVE_BATCH_SIZE", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub batch_size: u16,
    /// Seconds after which fewer requests are sent as a batch, too.
    #[arg(long, env = "HIVE_BATCH_AFTER_SECONDS", default_value = "300", value_parser = seconds)]
    pub batch_after: Duration,
    /// Seconds from the creation of a batch to the first look at it; the pauses grow up to 32 times that.
    #[arg(long, env = "HIVE_BATCH_POLL_SECONDS", default_value = "30", value_parser = seconds)]
    pub batch_poll: Duration,
    /// Directory that each call to the model is recorded in, byte for byte, a file for each task. The files hold what the
    /// agents read and wrote.
    #[arg(long, env = "HIVE_RECORD")]
    pub record: Option<PathBuf>,
    /// Which tasks are recorded.
    #[arg(long, env = "HIVE_RECORD_TASKS", value_enum, default_value_t = RecordTasks::All)]
    pub record_tasks: RecordTasks,
    /// Where task trees and mirrors of repositories lie.
    #[arg(long, env = "HIVE_DATA")]
    pub data: PathBuf,
    /// Directories below which file: repositories may lie, separated by colons.
    #[arg(long, env = "HIVE_REPO_ROOTS", value_delimiter = ':')]
    pub repo_roots: Vec<PathBuf>,
    /// Where checkpoints of the whole system are kept; without it this worker makes none. Not below HIVE_DATA, where
    /// users of the sandbox pass through.
    #[arg(long, env = "HIVE_CHECKPOINTS")]
    pub checkpoints: Option<PathBuf>,
    /// How many checkpoints are kept there; older ones are removed.
    #[arg(long, env = "HIVE_CHECKPOINTS_KEEP", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub checkpoints_keep: u16,
    /// `auto` confines commands and refuses to start where that is not possible; `off` runs them unconfined.
    #[arg(long, env = "HIVE_SANDBOX", value_enum, default_value_t = SandboxMode::Auto)]
    pub sandbox: SandboxMode,
    /// Toolchains outside of /usr that commands may read and execute, separated by colons.
    #[arg(long, env = "HIVE_SANDBOX_PATHS", value_delimiter = ':')]
    pub sandbox_paths: Vec<PathBuf>,
    /// PATH inside the sandbox.
    #[arg(long, env = "HIVE_SANDBOX_PATH", default_value = "/usr/local/bin:/usr/bin:/bin")]
    pub sandbox_path: String,
    /// Where notifications of agents to a person go, by POST. Without it agents cannot send any.
    #[arg(long, env = "HIVE_NOTIFY_URL", hide_env_values = true)]
    pub notify_url: Option<Url>,
    /// The receiver takes notifications with the same Idempotency-Key for one: what it did not confirm is sent again,
    /// instead of asking a person what came of it.
    #[arg(long, env = "HIVE_NOTIFY_IDEMPOTENT", default_value_t = false, action = clap::ArgAction::Set)]
    pub notify_idempotent: bool,
    /// MiB that the search indexes of memories may take in this process; those that were searched longest ago go first.
    #[arg(long, env = "HIVE_WORKER_MEMORY_MIB", default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=65_536))]
    pub memory_mib: u32,
    /// Tokens that a task is given of what is remembered when it begins; 0 for none.
    #[arg(long, env = "HIVE_RECALL_TOKENS", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(0..=50_000))]
    pub recall_tokens: u32,
    /// Who turns queries into vectors; the same as of the api.
    #[command(flatten)]
    pub embed: hive_embed::Config,
    /// How the process logs.
    #[command(flatten)]
    pub log: hive_telemetry::LogConfig,
}

impl Config {
    /// Reads the environment and the command line.
    ///
    /// # Errors
    /// One line that names the setting that is missing or cannot be used. Secrets are not in it.
    pub fn read() -> anyhow::Result<Self> {
        let config: Self = hive_settings::read()?;
        config.check()?;
        Ok(config)
    }

    /// Checks what has a form of its own, before anything is waited for.
    ///
    /// # Errors
    /// One line that names the setting.
    pub fn check(&self) -> anyhow::Result<()> {
        let postgres = ["postgres://", "postgresql://"];
        ensure!(
            postgres.iter().any(|scheme| self.database_url.starts_with(scheme)),
            "DATABASE_URL is not of the form postgres://user:password@host:port/database"
        );
        ensure!(
            !self.claude_key.is_empty() && self.claude_key.bytes().all(|byte| byte.is_ascii_graphic()),
            "ANTHROPIC_API_KEY is empty or holds what no header can carry; without a key no agent can work, and nothing \
             takes its place"
        );
        ensure!(
            self.claude_key != NO_KEY || self.claude_url.host_str() != Some("api.anthropic.com"),
            "ANTHROPIC_API_KEY holds the mark of a demo; write the key for Claude into it"
        );
        ensure!(
            matches!(self.claude_url.scheme(), "http" | "https"),
            "ANTHROPIC_BASE_URL: {} is neither http nor https",
            self.claude_url
        );
        ensure!(!self.data.as_os_str().is_empty(), "HIVE_DATA is empty; name a directory");
        if let Some(directory) = &self.checkpoints {
            ensure!(
                directory.is_absolute(),
                "HIVE_CHECKPOINTS: {} is not an absolute path",
                directory.display()
            );
            ensure!(
                !directory.starts_with(&self.data),
                "HIVE_CHECKPOINTS: {} lies below HIVE_DATA, which users of the sandbox pass through",
                directory.display()
            );
        }
        let given = |roots: &&PathBuf| !roots.as_os_str().is_empty();
        if let Some(root) = self.repo_roots.iter().filter(given).find(|root| !root.is_absolute()) {
            anyhow::bail!("HIVE_REPO_ROOTS: {} is not an absolute path", root.display());
        }
        Ok(())
    }
}

/// Reads seconds, with or without a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.001..=86_400.0).contains(seconds));
    let seconds = seconds.ok_or("write seconds between 0.001 and 86400")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Which tasks are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecordTasks {
    /// Every one.
    All,
    /// Those with the label `record=true`.
    Labelled,
}

/// Whether commands are confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SandboxMode {
    /// As far as the machine can, and never below the floor.
    Auto,
    /// Not at all; each step says so.
    Off,
}
