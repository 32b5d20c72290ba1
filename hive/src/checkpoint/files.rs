//! Checkpoints as files on this machine: no server is asked.

use std::path::PathBuf;

use clap::Args;
use hive_checkpoint::{Error, Target, Verified};
use hive_local::{Stores, StoresConfig};
use hive_store::{Config, Store};
use hive_workspace::Workspaces;
use serde_json::json;

use crate::{failure::Failure, migrate, output, settings::secret};

#[derive(Args)]
pub(crate) struct Verify {
    /// Where it lies.
    directory: PathBuf,
    /// The digest of its manifest, as the server tells it; without it the files are only compared among themselves.
    #[arg(long)]
    digest: Option<String>,
}

#[derive(Args)]
pub(crate) struct Restore {
    /// Where it lies.
    directory: PathBuf,
    /// The digest of its manifest, as the server told it; without it the files are only compared among themselves.
    #[arg(long)]
    digest: Option<String>,
    /// Where Postgres is; without it what `DATABASE_URL` holds, or the file that `DATABASE_URL_FILE` names.
    #[arg(long, hide_env_values = true)]
    database_url: Option<String>,
    /// The state directory of a `hive dev` that does not run, an empty one as well: its own Postgres is started for this.
    #[arg(long, conflicts_with = "database_url")]
    state: Option<PathBuf>,
    /// Directories below which repositories may be made, separated by colons; the same as of the workers.
    #[arg(long, env = "HIVE_REPO_ROOTS", value_delimiter = ':')]
    repo_roots: Vec<PathBuf>,
}

pub(crate) async fn verify(options: &Verify, as_json: bool) -> Result<(), Failure> {
    let verified = hive_checkpoint::verify(&options.directory, options.digest.as_deref()).await;
    let verified = verified.map_err(|error| refused(&error))?;
    let Verified { manifest, manifest_sha256, .. } = &verified;
    if as_json {
        return output::json(&json!({
            "id": manifest.id, "manifest_sha256": manifest_sha256, "schema": manifest.database.schema,
            "taken_at": manifest.database.taken_at, "tables": manifest.tables.len(), "rows": manifest.rows(),
            "repositories": manifest.repositories.len(),
        }));
    }
    println!(
        "checkpoint {} is whole: {} rows of {}",
        manifest.id,
        manifest.rows(),
        manifest.database.taken_at
    );
    println!("manifest_sha256  {manifest_sha256}");
    Ok(())
}

pub(crate) async fn restore(options: &Restore, as_json: bool) -> Result<(), Failure> {
    if let Some(state) = &options.state {
        let failed = |error: hive_local::Error| Failure::Failed(error.to_string());
        let config = StoresConfig { want_redis: false, ..StoresConfig::new(std::path::absolute(state)?) };
        let local = Stores::start(&config).map_err(failed)?;
        let restored = match local.database_url() {
            Some(url) => restore_into(url.to_owned(), options, as_json).await,
            None => Err(Failure::Failed("the state directory has no Postgres".to_owned())),
        };
        local.stop();
        return restored;
    }
    let url = match &options.database_url {
        Some(url) => url.clone(),
        None => secret("DATABASE_URL")?
            .ok_or_else(|| Failure::Usage("DATABASE_URL is not set, nor is --state given".to_owned()))?,
    };
    restore_into(url, options, as_json).await
}

async fn restore_into(url: String, options: &Restore, as_json: bool) -> Result<(), Failure> {
    // Everything is read before anything is written.
    let verified = hive_checkpoint::verify(&options.directory, options.digest.as_deref()).await;
    let verified = verified.map_err(|error| refused(&error))?;
    let store = Store::connect_lazy(&Config { max_connections: 2, ..Config::new(url.clone()) });
    let store = store.map_err(|error| refused(&error.into()))?;
    // What git needs of its own goes again with us.
    let scratch = Scratch::make()?;
    let repositories = hive_workspace::Config {
        file_roots: options.repo_roots.clone(),
        timeout: std::time::Duration::from_secs(1800),
        ..hive_workspace::Config::new(&scratch.0)
    };
    let workspaces =
        Workspaces::new(repositories.clone()).await.map_err(|error| Failure::Failed(error.to_string()))?;
    let roster = hive_agent::roster().map_err(Failure::Failed)?;
    let agents: Vec<String> = roster.into_iter().map(|agent| agent.name).collect();
    let target =
        Target { store: &store, workspaces: &workspaces, repositories: &repositories, agents: &agents };
    let restored = hive_checkpoint::restore(&target, &verified).await.map_err(|error| refused(&error))?;
    store.close().await;
    let manifest = &verified.manifest;
    migrate::migrate(&url).await.map_err(|failure| {
        Failure::Failed(format!(
            "everything is restored as of schema {}; run `hive migrate` again: {failure}",
            manifest.database.schema
        ))
    })?;
    if as_json {
        return output::json(&json!({
            "id": manifest.id, "rows": restored.rows, "repositories": restored.repositories,
            "present": restored.present, "elsewhere": restored.elsewhere, "absent": restored.absent,
        }));
    }
    println!("restored {} rows of {}", restored.rows, manifest.database.taken_at);
    for url in &restored.repositories {
        println!("made {}", output::plain(url));
    }
    for url in &restored.present {
        println!("was there {}", output::plain(url));
    }
    for url in &restored.elsewhere {
        println!("left as it is, since it is on another host: {}", output::plain(url));
    }
    for (url, why) in &restored.absent {
        println!("not in the checkpoint: {}: {}", output::plain(url), output::plain(why));
    }
    Ok(())
}

fn refused(error: &Error) -> Failure {
    Failure::Failed(output::plain(&error.to_string()))
}

/// A directory of this process alone.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("hive-restore-{}", uuid::Uuid::now_v7()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("hive: {}: {error}", self.0.display());
        }
    }
}
