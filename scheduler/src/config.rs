//! What the scheduler is told.

use std::net::SocketAddr;

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
