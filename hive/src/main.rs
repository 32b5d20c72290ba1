//! The command line of Agent Hive.

mod agent;
mod batch;
mod budget;
mod cli;
mod client;
mod dead;
mod dev;
mod doctor;
mod failure;
mod housekeeping;
mod migrate;
mod models;
mod output;
mod probe;
mod provider;
mod queue;
mod schedule;
mod session;
mod settings;
mod task;
mod usage;
mod verify;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    // Everything runs on the main thread: what `hive dev` starts must die with it, and the kernel ties a child's life
    // to the thread that started it.
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failure::Failure::from)
        .and_then(|runtime| runtime.block_on(cli.run()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
