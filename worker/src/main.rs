//! The worker process.

use std::process::ExitCode;

fn main() -> ExitCode {
    hive_telemetry::exit(start())
}

fn start() -> anyhow::Result<()> {
    // The key is in the environment block: nobody but root may look into it.
    hive_sandbox::hide_process()?;
    let config = hive_worker::Config::read()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(hive_worker::run(config))
}
