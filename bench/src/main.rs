//! Load and latency of the release build, fsync on. Prints what it measures and ends with one JSON line.

mod disk;
mod fleet;
mod limit;
mod load;
mod percentile;

use clap::Parser;

/// How much is measured.
#[derive(Parser)]
#[command(name = "hive-bench", version)]
struct Options {
    /// Worker processes; they share 100 places.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// No-op tasks of the throughput run.
    #[arg(long, default_value_t = 6_000)]
    noops: usize,
    /// Tasks with three model calls of 50 ms each.
    #[arg(long, default_value_t = 1_000)]
    agent_tasks: usize,
    /// Tasks that are queued while no worker runs.
    #[arg(long, default_value_t = 20_000)]
    backlog: usize,
    /// Probes of the idle system.
    #[arg(long, default_value_t = 300)]
    probes: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let figures =
        load::measure(options.workers, options.noops, options.agent_tasks, options.backlog, options.probes)
            .await?;
    println!("{}", serde_json::Value::Object(figures));
    Ok(())
}
