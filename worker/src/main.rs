//! The worker process.

use clap::Parser;

fn main() -> anyhow::Result<()> {
    let config = hive_worker::Config::parse();
    // The secrets leave the environment block only with the process: nobody but root may look into it.
    // HIDE
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(hive_worker::run(config))
}
