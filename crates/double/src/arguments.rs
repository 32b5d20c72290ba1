//! The command line of `claude-double`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use crate::{DoubleConfig, Limits, Recording, Script};

/// The Claude double: speaks the Messages API from scripts, without a model.
#[derive(Debug, clap::Parser)]
#[command(name = "claude-double", version)]
pub struct Arguments {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub host: IpAddr,
    /// Script to play; rules of later files are tried after those of earlier ones. Requests of nights pass by rules
    /// without `when: { night: true }` or a mode of nights; plain rules over the text, built in, answer them then
    #[arg(long = "script", value_name = "FILE")]
    pub scripts: Vec<PathBuf>,
    /// Let the default part answer where no rule of a script matches
    #[arg(long)]
    pub default_part: bool,
    /// File that charged calls are appended to, one JSON line each
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Milliseconds before the first byte of every answer
    #[arg(long, default_value_t = 0)]
    pub latency_ms: u64,
    /// Key to accept, repeatable; without one, every non-empty key is accepted
    #[arg(long = "key", value_name = "KEY")]
    pub keys: Vec<String>,
    /// Rate limits to hold, as YAML; without them nothing is limited
    #[arg(long, value_name = "FILE")]
    pub limits: Option<PathBuf>,
    /// Seconds from the creation of a batch to its end
    #[arg(long, default_value_t = 1)]
    pub batch_seconds: u64,
    /// Recorded exchanges to answer from, one JSON line each; no script is played then
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scripts", "default_part"])]
    pub recording: Option<PathBuf>,
}

impl Arguments {
    /// Reads the scripts and gives the settings of the double.
    ///
    /// # Errors
    ///
    /// A script cannot be read or played.
    pub fn config(self) -> anyhow::Result<DoubleConfig> {
        let mut script: Option<Script> = None;
        for path in &self.scripts {
            let next = Script::load(path).with_context(|| format!("script {}", path.display()))?;
            script = Some(match script {
                Some(earlier) => earlier.then(next),
                None => next,
            });
        }
        let limits = match &self.limits {
            Some(path) => {
                let named = || format!("limits {}", path.display());
                let text = std::fs::read_to_string(path).with_context(named)?;
                Some(Limits::parse(&text).with_context(named)?)
            }
            None => None,
        };
        let recording = match &self.recording {
            Some(path) => {
                Some(Recording::load(path).with_context(|| format!("recording {}", path.display()))?)
            }
            None => None,
        };
        Ok(DoubleConfig {
            address: SocketAddr::new(self.host, self.port),
            script,
            default_part: self.default_part,
            keys: self.keys,
            ledger_file: self.ledger,
            latency: Duration::from_millis(self.latency_ms),
            limits,
            batch_delay: Duration::from_secs(self.batch_seconds),
            recording,
            ..DoubleConfig::default()
        })
    }
}
