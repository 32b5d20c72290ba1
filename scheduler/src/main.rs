//! The scheduler process.

use std::process::ExitCode;

use hive_scheduler::Config;

#[tokio::main]
async fn main() -> ExitCode {
    hive_telemetry::exit(start().await)
}

async fn start() -> anyhow::Result<()> {
    let config: Config = hive_settings::read()?;
    let _log = hive_telemetry::init("scheduler", &config.log, &config.secrets())?;
    hive_scheduler::run(config).await
}
