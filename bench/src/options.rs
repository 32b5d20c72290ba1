//! How much is measured.

use clap::Parser;

/// Measures the release build.
#[derive(Parser)]
#[command(name = "hive-bench", version)]
pub(crate) struct Options {
    /// Worker processes; they share 100 places.
    #[arg(long, default_value_t = 2)]
    pub(crate) workers: usize,
    /// No-op tasks of the throughput run.
    #[arg(long, default_value_t = 6_000)]
    pub(crate) noops: usize,
    /// Tasks with three model calls of 50 ms each.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) agent_tasks: usize,
    /// Tasks that are queued while no worker runs.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) backlog: usize,
    /// Finished tasks beside which a claim is timed.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) finished: i64,
    /// Steps of the finished tasks, beside which the list of tasks is timed.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) steps: i64,
    /// Probes of the idle system.
    #[arg(long, default_value_t = 300)]
    pub(crate) probes: usize,
}
