//! The scheduler process.

use std::process::ExitCode;

use clap::Parser;
use hive_scheduler::Config;

#[tokio::main]
async fn main() -> ExitCode {
    hive_telemetry::exit(start(Config::parse()).await)
}

async fn start(config: Config) -> anyhow::Result<()> {
    let _log = hive_telemetry::init("scheduler", &config.log, &config.secrets())?;
    hive_scheduler::run(config).await
}
