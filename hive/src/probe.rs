//! `hive probe`: whether a process answers its health page. An image needs no other program for its health check.

use std::time::Duration;

use clap::Args;
use url::Url;

use crate::{client, failure::Failure, output};

#[derive(Args)]
pub(crate) struct Options {
    /// The page; 200 is well.
    #[arg(env = "HIVE_PROBE", default_value = "http://127.0.0.1:7700/health/ready")]
    url: Url,
    /// Seconds that it may take.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    within: u64,
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let within = Duration::from_secs(options.within);
    let answer = client::http()?.get(options.url.clone()).timeout(within).send().await;
    let answer = answer.map_err(|error| {
        Failure::Unreachable(format!("{} does not answer: {}", options.url, error.without_url()))
    })?;
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status();
    let said: String = answer.text().await.unwrap_or_default().chars().take(500).collect();
    Err(Failure::Failed(format!("{} answers {status}: {}", options.url, output::plain(&said))))
}
