//! `hive eval`: how well a part of the product does its work, on questions with known answers.

mod memory;
mod report;

use clap::Subcommand;

use crate::failure::Failure;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Measure how well is recalled what was said: words alone, vectors alone, and the engine.
    Memory(memory::Options),
}

pub(crate) async fn run(command: Command, as_json: bool) -> Result<(), Failure> {
    match command {
        Command::Memory(options) => memory::run(&options, as_json).await,
    }
}
