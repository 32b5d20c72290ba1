//! The real processes under fire, and the proof that nothing was lost, doubled or paid twice. Prints what it measures
//! and ends with one JSON line; exit code 1 when something that must hold does not.

mod client;
mod failpoints;
mod figures;
mod fire;
mod fleet;
mod ledger;
mod metrics;
mod open;
mod options;
mod plan;
mod process;
mod proxy;
mod recovery;
mod redis_down;
mod repository;
mod roll;
mod run;
mod strike;
mod verify;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = options::Options::parse();
    let figures = match &options.fail_points {
        Some(programs) => failpoints::run(&options, programs).await?,
        None if options.roll => roll::run(&options).await?,
        None => run::run(&options).await?,
    };
    println!("{}", figures.line());
    figures.missed().iter().for_each(|must| eprintln!("hive-chaos: {must}"));
    Ok(ExitCode::from(u8::from(!figures.missed().is_empty())))
}
