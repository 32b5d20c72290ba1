//! `hive migrate`: the schema, and the agents of the roster.

use clap::Args;
use hive_store::{Config, Store};

use crate::{failure::Failure, settings::secret};

#[derive(Args)]
pub(crate) struct Options {
    /// Where Postgres is; without it what `DATABASE_URL` holds, or the file that `DATABASE_URL_FILE` names.
    #[arg(long, hide_env_values = true)]
    database_url: Option<String>,
}

pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let url = match &options.database_url {
        Some(url) => url.clone(),
        None => {
            secret("DATABASE_URL")?.ok_or_else(|| Failure::Usage("DATABASE_URL is not set".to_owned()))?
        }
    };
    let made = migrate(&url).await?;
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
