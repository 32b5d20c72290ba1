//! `hive verify`: holds the deployment to the product's own promises, while it runs. Reads only.

mod report;
mod tickets;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use hive_queue::Queue;
use hive_store::{Config, Store, verify::Scope};

use crate::{failure::Failure, settings};
use report::Report;

#[derive(Args)]
pub(crate) struct Options {
    /// Where Postgres is; without it, what `hive dev` wrote into its state directory.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Where Redis is; as above.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// First part of every key in Redis.
    #[arg(long, env = "HIVE_REDIS_PREFIX", default_value = "hive")]
    redis_prefix: String,
    /// The state directory of `hive dev`.
    #[arg(long, env = "HIVE_STATE")]
    state: Option<PathBuf>,
    /// Look at every task, and not only at the open ones and those that ended last.
    #[arg(long)]
    all: bool,
    /// Ended tasks to look at, for each kind of end, newest first.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(i64).range(0..), conflicts_with = "all")]
    recent: i64,
    /// Seconds that a ticket may lie in Redis after its task needs it no more. It waits its turn like any other.
    #[arg(long, default_value_t = 300.0)]
    ticket_grace: f64,
    /// Seconds that a slot of a schedule may be late: one that cannot fire is tried again each minute.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32))]
    slot_grace: u32,
}

pub(crate) async fn run(options: &Options, as_json: bool) -> Result<(), Failure> {
    let started = Instant::now();
    let (database_url, redis_url) = stores(options)?;
    let config = Config {
        read_only: true,
        max_connections: 2,
        // Nobody waits for it, and a busy database is the one to look at.
        acquire_timeout: Duration::from_secs(20),
        statement_timeout: Duration::from_secs(30),
        ..Config::new(database_url)
    };
    let store = Store::connect_lazy(&config).map_err(refused)?;
    store.check_schema().await.map_err(refused)?;
    let queue =
        hive_queue::Config { prefix: options.redis_prefix.clone(), ..hive_queue::Config::new(redis_url) };
    let queue = Queue::connect(queue).map_err(|error| Failure::Usage(error.to_string()))?;

    let scope = if options.all { Scope::All } else { Scope::Recent { ended: options.recent } };
    let mut report = Report::new(options.all);
    report.extend(store.verify(scope).await.map_err(refused)?);
    let grace = Duration::from_secs(options.slot_grace.into());
    report.extend(vec![store.verify_slots(grace).await.map_err(refused)?]);
    report.extend(store.verify_budgets().await.map_err(refused)?);
    report.extend(store.verify_messages().await.map_err(refused)?);
    report.extend(store.verify_sleeps().await.map_err(refused)?);
    // Postgres was looked at: what it says is shown even when Redis is away.
    let unreachable = match tickets::verify(&store, &queue, options.ticket_grace).await {
        Ok(found) => {
            report.extend(found);
            None
        }
        Err(failure) => Some(failure),
    };
    store.close().await;
    report.print(started.elapsed(), as_json, unreachable.is_none())?;
    match (report.violations(), unreachable) {
        (0, None) => Ok(()),
        (0, Some(failure)) => Err(failure),
        (1, _) => Err(Failure::Failed("a promise is broken".to_owned())),
        (some, _) => Err(Failure::Failed(format!("promises are broken {some} times"))),
    }
}

/// The addresses: as given, else what `hive dev` wrote.
fn stores(options: &Options) -> Result<(String, String), Failure> {
    let state = options.state.clone().unwrap_or_else(hive_local::default_state_dir);
    let file = state.join("env");
    let written = std::fs::read_to_string(&file).map(|text| settings::variables(&text)).unwrap_or_default();
    let pick = |given: &Option<String>, name: &str| {
        given.clone().or_else(|| written.get(name).cloned()).ok_or_else(|| {
            Failure::Usage(format!(
                "{name} is not set, and {} is not there, as it is while `hive dev` runs",
                file.display()
            ))
        })
    };
    Ok((pick(&options.database_url, "DATABASE_URL")?, pick(&options.redis_url, "REDIS_URL")?))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn refused(error: hive_store::Error) -> Failure {
    let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    let text = format!("{error}{source}");
    if error.is_unavailable() { Failure::Unreachable(text) } else { Failure::Failed(text) }
}
