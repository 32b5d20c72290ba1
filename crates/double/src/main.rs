//! `claude-double`: the Claude double as a process of its own.

use clap::Parser;
use hive_double::Double;
use hive_double::arguments::Arguments;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let mut terminate = signal(SignalKind::terminate())?;
    let double = Double::start(Arguments::parse().config()?).await?;
    println!("claude-double listening on {}", double.url());
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    double.shutdown().await;
    Ok(())
}
