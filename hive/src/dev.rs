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

/// How often the processes are looked at.
const TICK: Duration = Duration::from_millis(200);
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
    /// Postgres to use instead of a local one; without it DATABASE_URL.
    #[arg(long)]
    pub(crate) database_url: Option<String>,
    /// Redis to use instead of a local one; without it REDIS_URL.
    #[arg(long)]
    pub(crate) redis_url: Option<String>,
    /// The key for Claude; without it the Claude double answers.
    #[arg(long, env = "ANTHROPIC_API_KEY", hide_env_values = true)]
    pub(crate) claude_key: Option<String>,
    /// The service that speaks the Messages API; without it ANTHROPIC_BASE_URL.
    #[arg(long)]
    pub(crate) claude_url: Option<String>,
    /// Scripts for the Claude double; may be given several times.
    #[arg(long = "double-script", env = "HIVE_DOUBLE_SCRIPTS", value_delimiter = ':')]
    pub(crate) double_scripts: Vec<PathBuf>,
    /// A recording that the Claude double plays, and nothing else; see `hive task recording`.
    #[arg(long, value_name = "FILE")]
    pub(crate) double_recording: Option<PathBuf>,
}

impl Options {
    /// Fills in what the environment names. A shell that read the settings file of a hive would send this one to the
    /// stores and the model of that one: there these three are not taken over.
    fn with_environment(mut self) -> Self {
        let foreign = std::env::var(plan::SETTINGS_OF).ok();
        for (name, option) in [
            ("DATABASE_URL", &mut self.database_url),
            ("REDIS_URL", &mut self.redis_url),
            ("ANTHROPIC_BASE_URL", &mut self.claude_url),
        ] {
            let Ok(value) = std::env::var(name) else { continue };
            match &foreign {
                Some(state) => {
                    eprintln!("{name} is passed over: this shell read the settings of the hive in {state}");
                }
                None if option.is_none() => {
                    eprintln!("{name} is taken from the environment");
                    *option = Some(value);
                }
                None => {}
            }
        }
        self
    }
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let options = options.with_environment();
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
            () = tokio::time::sleep(TICK) => {}
        }
        if let Some(ended) = stores.revive()? {
            break Err(Failure::Failed(ended));
        }
        fleet.revive(&plan)?;
    };
    plan.remove_settings();
    fleet.ask_to_stop();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(plan.drain_seconds + 10);
    let mut told = false;
    while fleet.is_running() && tokio::time::Instant::now() < deadline {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = tokio::time::sleep(TICK) => {}
        }
        if !told {
            told = true;
            eprintln!("running steps get up to {} s; once more ends them now", plan.drain_seconds);
        }
    }
    drop(fleet);
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
    match (&plan.double, &plan.double_recording) {
        (Some(_), Some(recording)) => {
            println!("  model     the Claude double: plays {}, no real model", recording.display());
        }
        (Some(_), None) => {
            println!(
                "  model     the Claude double: scripted answers, no real model (set ANTHROPIC_API_KEY)"
            );
        }
        (None, _) => println!("  model     Claude at {}", plan.claude_url),
    }
}
