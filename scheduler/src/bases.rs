//! What the base of a schedule's repository names at the moment its task is made.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use hive_workspace::{RepositoryUrl, Workspaces};
use tokio::sync::OnceCell;

/// The longest one call of git may take.
const GIT_TIMEOUT: Duration = Duration::from_secs(20);

/// Looks up commits. Cheap to clone; nothing is made on disk before the first look.
#[derive(Clone, Debug)]
pub struct Bases {
    config: hive_workspace::Config,
    workspaces: Arc<OnceCell<Workspaces>>,
}

impl Bases {
    /// For repositories below `roots`; git gets a directory of its own in `data`.
    #[must_use]
    pub fn new(data: &Path, roots: Vec<PathBuf>) -> Self {
        let config = hive_workspace::Config {
            file_roots: roots,
            timeout: GIT_TIMEOUT,
            ..hive_workspace::Config::new(data.join("scheduler"))
        };
        Self { config, workspaces: Arc::default() }
    }

    /// The commit that `base_ref` names now.
    ///
    /// # Errors
    /// The repository may not be used, does not answer or has no such base; or git does not run here.
    pub async fn look_up(&self, url: &str, base_ref: &str) -> anyhow::Result<String> {
        let url = RepositoryUrl::parse(url, &self.config).context("the repository cannot be used")?;
        let workspaces = self.workspaces.get_or_try_init(|| Workspaces::new(self.config.clone())).await;
        let workspaces = workspaces.context("HIVE_DATA cannot be used by git")?;
        Ok(workspaces.resolve(&url, Some(base_ref)).await?.to_string())
    }
}
