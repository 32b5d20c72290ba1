//! The command line of Agent Hive.

mod agent;
mod batch;
mod budget;
mod checkpoint;
mod cli;
mod client;
mod cycle;
mod dead;
mod dev;
mod doctor;
mod eval;
mod failure;
mod housekeeping;
mod message;
mod migrate;
mod models;
mod output;
mod probe;
mod provider;
mod queue;
mod schedule;
mod session;
mod settings;
mod sleep;
mod task;
mod usage;
mod verify;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::parse().run_here() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
