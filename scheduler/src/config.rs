//! What the scheduler is told.

use std::{net::SocketAddr, path::PathBuf};

use hive_telemetry::LogConfig;

/// The settings of the process. Not printable, because the URLs may hold passwords.
#[derive(Clone, clap::Parser)]
#[command(name = "hive-scheduler", version, about = "Finds again what was lost and wakes what is due")]
pub struct Config {
    /// Postgres: `postgres://user:password@host:port/database`
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// Redis: `redis://:password@host:port/db`
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: String,
    /// First part of every key in Redis
    #[arg(long, env = "HIVE_REDIS_PREFIX", default_value = "hive")]
    pub redis_prefix: String,
    /// Where /health and /metrics are served
    #[arg(long, env = "HIVE_SCHEDULER_LISTEN", default_value = "127.0.0.1:7702")]
    pub listen: SocketAddr,
    /// A directory of our own, for what git needs to look up the repositories of schedules
    #[arg(long, env = "HIVE_DATA", default_value = "data")]
    pub data: PathBuf,
    /// Directories below which file: repositories may lie, separated by colons
    #[arg(long, env = "HIVE_REPO_ROOTS", value_delimiter = ':')]
    pub repo_roots: Vec<PathBuf>,
    /// Days that the journal of an ended task is kept: its steps, its events and its model calls, 1 to 3650. The task
    /// and its result stay
    #[arg(long, env = "HIVE_RETENTION_DAYS", default_value_t = 90,
          value_parser = clap::value_parser!(i32).range(1..=3650))]
    pub retention_days: i32,
    /// Days that the slots of schedules and the orders of housekeeping are kept, 1 to 3650
    #[arg(long, env = "HIVE_RECORDS_DAYS", default_value_t = 30,
          value_parser = clap::value_parser!(i32).range(1..=3650))]
    pub records_days: i32,
    /// Days that a consolidation of a memory can be taken back, and that texts of memories which others replaced are kept,
    /// 1 to 3650
    #[arg(long, env = "HIVE_MEMORY_RETENTION_DAYS", default_value_t = 400,
          value_parser = clap::value_parser!(i32).range(1..=3650))]
    pub memory_retention_days: i32,
    /// Seconds after which a task that waits for a worker goes before the others of its lane
    #[arg(long, env = "HIVE_AGEING_SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub ageing_seconds: u64,
    /// What is logged.
    #[command(flatten)]
    pub log: LogConfig,
}

impl Config {
    /// What must not appear in the log.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        vec![self.database_url.clone(), self.redis_url.clone()]
    }
}
