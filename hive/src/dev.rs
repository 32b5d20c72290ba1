//! `hive dev`: everything on this machine, as processes of their own, under one supervisor that takes all of them with
//! it when it goes, however it goes.

mod fleet;
mod plan;
mod stores;

use std::{path::PathBuf, time::Duration};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::{client, failure::Failure, migrate};
use fleet::Fleet;
use plan::Plan;
use stores::LocalStores;

/// How long the server gets to become ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(crate) struct Options {
    /// Where everything is kept.
    #[arg(long, env = "HIVE_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// The port of the api; the other processes take ports after it.
    #[arg(long, env = "HIVE_PORT", default_value_t = 7700, value_parser = clap::value_parser!(u16).range(1024..=65000))]
    pub(crate) port: u16,
    /// Worker processes.
    #[arg(long, env = "HIVE_WORKERS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=64))]
    pub(crate) workers: u16,
    /// Tasks that a worker runs at the same time.
    #[arg(long, env = "HIVE_SLOTS", default_value_t = 8)]
    pub(crate) slots: u16,
    /// Directories below which file: repositories may lie, separated by colons; without it the working directory,
    /// the home directory and the directory for temporary files.
    #[arg(long, env = "HIVE_REPO_ROOTS", value_delimiter = ':')]
    pub(crate) repo_roots: Vec<PathBuf>,
    /// Postgres to use instead of a local one.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// Redis to use instead of a local one.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub(crate) redis_url: Option<String>,
    /// The key for Claude; without it the Claude double answers.
    #[arg(long, env = "ANTHROPIC_API_KEY", hide_env_values = true)]
    pub(crate) claude_key: Option<String>,
    /// The service that speaks the Messages API.
    #[arg(long, env = "ANTHROPIC_BASE_URL")]
    pub(crate) claude_url: Option<String>,
    /// Scripts for the Claude double; may be given several times.
    #[arg(long = "double-script", env = "HIVE_DOUBLE_SCRIPTS", value_delimiter = ':')]
    pub(crate) double_scripts: Vec<PathBuf>,
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut stores = LocalStores::start(&options)?;
    let plan = Plan::new(&options, &stores)?;
    migrate::migrate(&plan.database_url).await?;
    let mut fleet = Fleet::start(&plan)?;
    wait_ready(&plan, &mut fleet).await?;
    plan.write_settings()?;
    announce(&plan);
    let outcome = loop {
        tokio::select! {
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
        if let Some(ended) = stores.ended() {
            break Err(Failure::Failed(ended));
        }
        fleet.revive(&plan)?;
    };
    eprintln!("stopping; running steps get up to {} s", plan.drain_seconds);
    plan.remove_settings();
    fleet.stop(Duration::from_secs(plan.drain_seconds + 10));
    stores.stop();
    outcome
}

async fn wait_ready(plan: &Plan, fleet: &mut Fleet) -> Result<(), Failure> {
    let http = client::http()?;
    let deadline = tokio::time::Instant::now() + READY_WITHIN;
    let mut waiting: Vec<String> = plan.ready_urls();
    while let Some(url) = waiting.first() {
        let answer = http.get(url).timeout(Duration::from_secs(2)).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            waiting.remove(0);
            continue;
        }
        if let Some(ended) = fleet.ended(plan) {
            return Err(Failure::Failed(ended));
        }
        if tokio::time::Instant::now() > deadline {
            let logs = plan.logs().display().to_string();
            return Err(Failure::Failed(format!(
                "{url} is not ready after {} s; see {logs}",
                READY_WITHIN.as_secs()
            )));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn announce(plan: &Plan) {
    println!("hive is ready: {}", plan.url());
    println!("  login     token {}", plan.token);
    println!("  settings  . {}", plan.settings_file().display());
    println!("  logs      {}", plan.logs().display());
    match &plan.double {
        Some(_) => {
            println!(
                "  model     the Claude double: scripted answers, no real model (set ANTHROPIC_API_KEY)"
            );
        }
        None => println!("  model     Claude at {}", plan.claude_url),
    }
}
