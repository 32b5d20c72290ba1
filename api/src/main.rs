//! The process `hive-api`.

use std::process::ExitCode;

use hive_api::Config;

#[tokio::main]
async fn main() -> ExitCode {
    hive_telemetry::exit(start().await)
}

async fn start() -> anyhow::Result<()> {
    let config = Config::read()?;
    let _log = hive_telemetry::init("api", &config.log, &config.secrets())?;
    hive_api::run(config).await
}
