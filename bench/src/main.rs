//! Load and latency of the release build, fsync on. Prints what it measures and ends with one JSON line.

mod disk;
mod fleet;
mod limit;
mod load;
mod options;
mod percentile;
mod scale;

use clap::Parser;
use options::Options;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let figures = load::measure(&options).await?;
    println!("{}", serde_json::Value::Object(figures));
    Ok(())
}
