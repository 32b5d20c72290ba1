//! The worker process.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let config = hive_worker::Config::parse();
    hive_telemetry::exit(start(config))
}

fn start(config: hive_worker::Config) -> anyhow::Result<()> {
    // The key is in the environment block: nobody but root may look into it.
    hive_sandbox::hide_process()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(hive_worker::run(config))
}
