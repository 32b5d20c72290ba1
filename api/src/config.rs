//! The settings of the process, from its environment or command line.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{bail, ensure};
use clap::Parser;
use hive_telemetry::LogConfig;

/// The least length of the token, in characters: 16 random letters and digits hold 95 bits.
const TOKEN_LENGTH: usize = 16;

/// Serves the REST interface of Agent Hive.
#[derive(Clone, Parser)]
#[command(name = "hive-api", version)]
pub struct Config {
    /// Where to listen
    #[arg(long, env = "HIVE_LISTEN", value_name = "HIVE_LISTEN", default_value = "127.0.0.1:7700")]
    pub listen: SocketAddr,
    /// Postgres, as postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", value_name = "DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// Redis, as redis://:password@host:port/db
    #[arg(long, env = "REDIS_URL", value_name = "REDIS_URL", hide_env_values = true)]
    pub redis_url: String,
    /// First part of every Redis key; the same in all processes of one hive
    #[arg(long, env = "HIVE_REDIS_PREFIX", value_name = "HIVE_REDIS_PREFIX", default_value = "hive")]
    pub redis_prefix: String,
    /// What callers present as `Authorization: Bearer …`, at least 16 characters
    #[arg(long, env = "HIVE_TOKEN", value_name = "HIVE_TOKEN", hide_env_values = true)]
    pub token: String,
    /// Directories, separated by colons, below which file: repositories may lie; none means none
    #[arg(
        long,
        env = "HIVE_REPO_ROOTS",
        value_name = "HIVE_REPO_ROOTS",
        default_value = "",
        hide_default_value = true
    )]
    pub repo_roots: String,
    /// A directory of our own, for what git needs to look up a repository
    #[arg(long, env = "HIVE_DATA", value_name = "HIVE_DATA", default_value = "data")]
    pub data: PathBuf,
    /// What answers the agents, a label for the health page: `double` marks the stand-in for Claude
    #[arg(long, env = "HIVE_PROVIDER", value_name = "HIVE_PROVIDER", default_value = "claude")]
    pub provider: String,
    /// Whether /metrics answers without the token, for a Prometheus on a private network
    #[arg(
        long,
        env = "HIVE_METRICS_OPEN",
        value_name = "HIVE_METRICS_OPEN",
        default_value_t = false,
        action = clap::ArgAction::Set
    )]
    pub metrics_open: bool,
    /// Seconds that a task may be ready before tasks of priority 7 to 9 are refused with 429; 0 never refuses
    #[arg(
        long,
        env = "HIVE_ADMISSION_SECONDS",
        value_name = "HIVE_ADMISSION_SECONDS",
        default_value_t = 600
    )]
    pub admission_seconds: u64,
    /// Connections to Postgres at most
    #[arg(
        long,
        env = "HIVE_DB_CONNECTIONS",
        value_name = "HIVE_DB_CONNECTIONS",
        default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(1..=1_000)
    )]
    pub db_connections: u32,
    /// MiB that the search indexes of memories may take in this process; those that were searched longest ago go first
    #[arg(
        long,
        env = "HIVE_MEMORY_MIB",
        value_name = "HIVE_MEMORY_MIB",
        default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(16..=65_536)
    )]
    pub memory_mib: u32,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show the text as the help of the whole command")]
    pub embed: hive_embed::Config,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show the text as the help of the whole command")]
    pub log: LogConfig,
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

    /// Checks what has a form of its own.
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
            self.token.chars().count() >= TOKEN_LENGTH,
            "HIVE_TOKEN has fewer than {TOKEN_LENGTH} characters; write for example what `openssl rand -hex 32` prints"
        );
        ensure!(
            self.token.bytes().all(|byte| byte.is_ascii_graphic()),
            "HIVE_TOKEN holds white space or characters beyond ASCII, which no Authorization header can carry"
        );
        if let Some(root) = self.roots().find(|root| !root.is_absolute()) {
            bail!("HIVE_REPO_ROOTS: {} is not an absolute path", root.display());
        }
        self.embed.check()?;
        ensure!(!self.data.as_os_str().is_empty(), "HIVE_DATA is empty; name a directory");
        ensure!(!self.provider.trim().is_empty(), "HIVE_PROVIDER is empty; leave it out or name a provider");
        Ok(())
    }

    /// What must not appear in a log.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let embed = self.embed.key.clone();
        [self.database_url.clone(), self.redis_url.clone(), self.token.clone()]
            .into_iter()
            .chain(embed)
            .collect()
    }

    /// What the memory may spend.
    pub(crate) fn memory(&self) -> hive_memory::Settings {
        hive_memory::Settings {
            most_bytes: (self.memory_mib as usize) << 20,
            ..hive_memory::Settings::default()
        }
    }

    /// The directories below which `file:` repositories may lie.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &Path> {
        self.repo_roots.split(':').filter(|root| !root.is_empty()).map(Path::new)
    }
}

/// Without secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("redis_prefix", &self.redis_prefix)
            .field("repo_roots", &self.repo_roots)
            .field("data", &self.data)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(extra: &[&str]) -> Result<Config, String> {
        let base = ["hive-api", "--database-url", "postgres://h/d", "--redis-url", "redis://h"];
        let arguments = base.iter().chain(extra).map(std::ffi::OsString::from);
        hive_settings::parse(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bad_setting_is_named_in_one_line() {
        let token = ["--token", "0123456789abcdef"];
        let with = |extra: &[&str]| parsed(&[&token[..], extra].concat());
        for (outcome, name) in [
            (parsed(&[]), "HIVE_TOKEN"),
            (with(&["--listen", "nowhere"]), "HIVE_LISTEN"),
            (with(&["--metrics-open", "maybe"]), "HIVE_METRICS_OPEN"),
            (with(&["--db-connections", "0"]), "HIVE_DB_CONNECTIONS"),
        ] {
            let line = outcome.unwrap_err();
            assert!(line.contains(name) && !line.contains('\n'), "{line}");
        }
        for (name, config) in [
            ("HIVE_TOKEN", Config { token: "short".to_owned(), ..with(&[]).unwrap() }),
            ("HIVE_TOKEN", Config { token: "white space inside".to_owned(), ..with(&[]).unwrap() }),
            ("DATABASE_URL", Config { database_url: "mysql://x:secret@y".to_owned(), ..with(&[]).unwrap() }),
            ("HIVE_REPO_ROOTS", Config { repo_roots: "/srv:srv".to_owned(), ..with(&[]).unwrap() }),
        ] {
            let line = config.check().unwrap_err().to_string();
            assert!(line.starts_with(name) && !line.contains("secret") && !line.contains('\n'), "{line}");
        }
        with(&[]).unwrap().check().unwrap();
    }
}
