//! How much, how long, and which dice.

use std::time::Duration;

use clap::{Parser, builder::BoolishValueParser};

/// Starts the fleet, fires at it, and checks what came of it.
#[derive(Clone, Debug, Parser)]
#[command(name = "hive-chaos", version)]
pub(crate) struct Options {
    /// Chooses every strike; the interleaving stays the machine's.
    #[arg(long, env = "SEED")]
    seed: Option<u64>,
    /// 10,000 tasks for up to ten minutes instead of 2,000 for up to four.
    #[arg(long, env = "LONG", value_parser = BoolishValueParser::new(), num_args = 0..=1,
          default_value = "false", default_missing_value = "true")]
    pub(crate) long: bool,
    /// Tasks of three steps; 2,000, or 10,000 in the long form.
    #[arg(long)]
    tasks: Option<usize>,
    /// Seconds of strikes; 130, or 420 in the long form.
    #[arg(long)]
    seconds: Option<u64>,
    /// Every this many tasks one works on a repository and is checked by a command.
    #[arg(long, default_value_t = 33)]
    pub(crate) files_every: usize,
    /// The least share of the normal rate that must go on while Redis is down.
    #[arg(long, default_value_t = 0.5)]
    pub(crate) least_without_redis: f64,
    /// Whether two tasks for one submission fail the run.
    #[arg(long)]
    pub(crate) submissions_once: bool,
    /// Times may be this many times as long: for a machine that others use as well, or a build without optimisation.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) patience: f64,
    /// Scale and upgrade under load instead: workers come and go and each process is replaced in turn.
    #[arg(long, env = "ROLL", value_parser = BoolishValueParser::new(), num_args = 0..=1,
          default_value = "false", default_missing_value = "true")]
    pub(crate) roll: bool,
    /// Go through the fail points instead, with the programs of this directory, which were built with `fail/failpoints`.
    #[arg(long)]
    pub(crate) fail_points: Option<std::path::PathBuf>,
    /// Only the cases of the fail points whose name contains this.
    #[arg(long, default_value = "")]
    pub(crate) only: String,
    /// Keep the directory with logs and repositories, and say where it is.
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Options {
    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| rand::random_range(1..1_000_000))
    }

    pub(crate) fn tasks(&self) -> usize {
        self.tasks.unwrap_or(if self.long { 10_000 } else { 2_000 })
    }

    pub(crate) fn span(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(if self.long { 420 } else { 130 }))
    }

    /// When everything must have ended, from the start of the work.
    pub(crate) fn within(&self) -> Duration {
        Duration::from_secs(if self.long { 600 } else { 240 }).mul_f64(self.patience)
    }

    /// Before the first byte of an answer, and between its events: a kill falls into both.
    pub(crate) fn latency(&self) -> (Duration, u64) {
        if self.long { (Duration::from_millis(60), 5) } else { (Duration::from_millis(100), 10) }
    }

    /// The largest share of steps that may be paid for twice because of a strike.
    pub(crate) fn most_duplicates(&self) -> f64 {
        if self.long { 0.01 } else { 0.03 }
    }
}
