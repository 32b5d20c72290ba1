//! What a task's base names at the moment of its submission.

use anyhow::Context;
use hive_domain::task::Repository;
use hive_workspace::{RepositoryUrl, Workspaces};
use std::time::Duration;
use tokio::sync::Semaphore;

use crate::{
    config::Config,
    error::{ApiError, Result},
};

/// Lookups at once: each is a git process of some megabytes, and further ones wait for their turn.
const LOOKUPS: usize = 16;
/// The longest one call of git may take; it ends before the request does.
const GIT_TIMEOUT: Duration = Duration::from_secs(20);
/// What is looked up when the caller names nothing: the remote's default branch.
const DEFAULT_REF: &str = "HEAD";

/// Looks up commits in the repositories that tasks name.
#[derive(Debug)]
pub struct Bases {
    workspaces: Workspaces,
    config: hive_workspace::Config,
    lookups: Semaphore,
}

impl Bases {
    /// Prepares the directory that git needs.
    ///
    /// # Errors
    /// The directory cannot be made, or git does not run.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let git = hive_workspace::Config {
            file_roots: config.roots().map(Into::into).collect(),
            timeout: GIT_TIMEOUT,
            ..hive_workspace::Config::new(&config.data)
        };
        Ok(Self {
            workspaces: Workspaces::new(git.clone())
                .await
                .with_context(|| format!("HIVE_DATA: {} cannot be used by git", config.data.display()))?,
            config: git,
            lookups: Semaphore::new(LOOKUPS),
        })
    }

    /// The repository with the commit that `base_ref` names now.
    ///
    /// # Errors
    /// 422 that names `/repository/url` or `/repository/base_ref`.
    pub async fn look_up(&self, url: &str, base_ref: Option<&str>) -> Result<Repository> {
        let url = RepositoryUrl::parse(url, &self.config)?;
        let _turn = self.lookups.acquire().await.map_err(|closed| ApiError::internal(&closed))?;
        let commit = self.workspaces.resolve(&url, base_ref).await?;
        Ok(Repository {
            url: url.as_str().to_owned(),
            base_ref: base_ref.unwrap_or(DEFAULT_REF).to_owned(),
            base_commit: commit.to_string(),
        })
    }
}
