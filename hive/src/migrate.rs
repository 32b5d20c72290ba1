//! `hive migrate`: the schema, and the agents of the roster.

use clap::Args;
use hive_store::{Config, Store};

use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct Options {
    /// Where Postgres is.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let made = migrate(&options.database_url).await?;
    println!("the schema is up to date; {made} agents were made");
    Ok(())
}

/// Migrates and seeds; returns how many agents were made.
pub(crate) async fn migrate(url: &str) -> Result<usize, Failure> {
    let failed = |error: hive_store::Error| {
        let source =
            std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Failure::Failed(format!("{error}{source}"))
    };
    let store = Store::connect_lazy(&Config::new(url.to_owned())).map_err(failed)?;
    store.migrate().await.map_err(failed)?;
    let roster = hive_agent::roster().map_err(Failure::Failed)?;
    let made = store.seed_agents(&roster).await.map_err(failed)?;
    store.close().await;
    Ok(made)
}
