//! The files of a task during one activation: the tree, a commit per turn, the branch at the hub.

use std::path::Path;

use hive_domain::{
    ErrorClass, Lease,
    journal::{DiffStat, TaskResult},
    task::Task,
};
use hive_workspace::{
    CommitHash, CommitMessage, Config, Error, PushError, Removal, RepositoryUrl, Source, Workspace,
    Workspaces,
};

/// The longest diff that is kept, in bytes.
const MAX_DIFF_BYTES: usize = 4 << 20;

/// The trailer that every commit of ours carries with the task's id.
const TASK_TRAILER: &str = "Hive-Task";

pub(crate) struct Files {
    workspace: Workspace,
    task: String,
    /// Where the branch stands at the hub, as far as this run knows.
    remote: Option<CommitHash>,
    pushed: bool,
}

/// What went wrong with the files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    #[error(transparent)]
    Workspace(#[from] Error),
    #[error(transparent)]
    Push(#[from] PushError),
    #[error("{0}")]
    Unreadable(String),
    #[error("somebody else moved the task's branch to {0}; it is left as it is")]
    Foreign(String),
}

impl FilesError {
    /// True when what the agent made is the trouble.
    pub(crate) const fn is_the_agents(&self) -> bool {
        matches!(self, Self::Workspace(Error::FileTooLarge { .. } | Error::TooDeep(_)))
    }

    /// What kind of trouble it is: whether another try may succeed, and how soon.
    pub(crate) const fn class(&self) -> ErrorClass {
        match self {
            Self::Workspace(Error::Unreachable { .. }) | Self::Push(PushError::Unreachable { .. }) => {
                ErrorClass::Repository
            }
            // Git on this host: neither the repository nor the agent is to blame, and elsewhere or later it may go.
            Self::Workspace(Error::TooManyRuns(_) | Error::Io { .. } | Error::Git(_)) => ErrorClass::Host,
            _ => ErrorClass::RepositoryRefused,
        }
    }
}

impl Files {
    /// Opens the tree as it was after the journal's last commit.
    pub(crate) async fn open(
        workspaces: &Workspaces,
        config: &Config,
        task: &Task,
        at: Option<&str>,
    ) -> Result<Option<Self>, FilesError> {
        let Some(repository) = &task.repository else {
            return Ok(None);
        };
        let url = RepositoryUrl::parse(&repository.url, config)
            .map_err(|error| FilesError::Unreadable(error.to_string()))?;
        let base = hash(&repository.base_commit)?;
        let at = at.map(hash).transpose()?;
        let source = Source { url, base };
        let workspace = workspaces.open(&task.id.to_string(), source, at.clone()).await?;
        Ok(Some(Self { workspace, task: task.id.to_string(), remote: at, pushed: false }))
    }

    pub(crate) fn tree(&self) -> &Path {
        self.workspace.tree()
    }

    pub(crate) fn tree_hash(&self) -> String {
        self.workspace.tree_hash().to_string()
    }

    /// Puts the tree back to the last commit, so that checks see what is committed and nothing else.
    pub(crate) async fn reset(&mut self) -> Result<(), FilesError> {
        let head = self.workspace.head().clone();
        Ok(self.workspace.reset(&head).await?)
    }

    /// Commits what a turn changed. `None`: nothing changed. [`Files::push`] makes it known to other hosts.
    pub(crate) async fn commit(
        &mut self,
        lease: &Lease<Task>,
        turn: u32,
    ) -> Result<Option<String>, FilesError> {
        let commit = self.workspace.commit(message(lease, &format!("turn {turn}"), true)).await?;
        Ok(commit.map(|commit| commit.hash.to_string()))
    }

    /// Brings back the files of an earlier commit, or of the base, by a commit on top of the branch. `None`: they are the
    /// branch's files. What was not committed is gone.
    pub(crate) async fn restore(
        &mut self,
        lease: &Lease<Task>,
        to: Option<&str>,
    ) -> Result<Option<String>, FilesError> {
        let to = match to {
            Some(to) => hash(to)?,
            None => self.workspace.base().clone(),
        };
        // Without its run: another one that does it again makes the same commit.
        let commit = self.workspace.restore(&to, message(lease, "last turn undone", false)).await?;
        Ok(commit.map(|commit| commit.to_string()))
    }

    /// What the last commit could not take along, and why.
    pub(crate) fn skipped(&self) -> Vec<String> {
        let skipped = self.workspace.skipped().iter();
        skipped.map(|left| format!("{} ({:?})", left.path, left.reason)).collect()
    }

    /// True when the hub's branch stands where this run stands.
    pub(crate) fn is_pushed(&self) -> bool {
        self.pushed && self.remote.as_ref() == Some(self.workspace.head())
    }

    /// Makes the hub's branch stand where this run stands, if it still stands where this run last saw it.
    /// `false`: it had moved, and a further call moves it from where it is now. Only who holds the lease may call
    /// again: what stands there was left by a run that died between its push and its journal entry, or by the run
    /// that overtook this one. The work of anybody else is never overwritten.
    pub(crate) async fn push(&mut self) -> Result<bool, FilesError> {
        match self.workspace.push(self.remote.as_ref()).await {
            Ok(()) => {
                self.pushed = true;
                self.remote = Some(self.workspace.head().clone());
                Ok(true)
            }
            Err(PushError::Moved { actual }) => {
                if let Some(foreign) = &actual
                    && foreign != self.workspace.base()
                    && !self.workspace.pushed_carries(foreign, TASK_TRAILER, &self.task).await?
                {
                    return Err(FilesError::Foreign(foreign.to_string()));
                }
                self.remote = actual;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Goes on from what a person pushed on top of the branch; its commit, if there is one.
    pub(crate) async fn adopt(&mut self) -> Result<Option<String>, FilesError> {
        let adopted = self.workspace.adopt_pushed().await?;
        if let Some(commit) = &adopted {
            self.remote = Some(commit.clone());
            self.pushed = true;
        }
        Ok(adopted.map(|commit| commit.to_string()))
    }

    /// The branch, the commit and the difference to the base, for the task; and the diff as text.
    pub(crate) async fn evidence(&self) -> Result<(TaskResult, String), FilesError> {
        let diff = self.workspace.diff(MAX_DIFF_BYTES).await?;
        let stat = DiffStat {
            files: diff.stat.files as u64,
            insertions: diff.stat.insertions as u64,
            deletions: diff.stat.deletions as u64,
        };
        let result = TaskResult {
            branch: Some(self.workspace.branch().to_owned()),
            commit: Some(self.workspace.head().to_string()),
            tree: Some(self.workspace.tree_hash().to_string()),
            diff_stat: Some(stat),
            ..TaskResult::default()
        };
        Ok((result, diff.text))
    }

    /// Gives the disk back; work that is not at the hub is kept aside, never deleted.
    pub(crate) async fn remove(self) -> Result<(), FilesError> {
        if let Removal::Quarantined { path, reason } = self.workspace.remove().await? {
            tracing::warn!(
                ?reason,
                "A workspace holds work that is nowhere else; it was moved to {}",
                path.display()
            );
        }
        Ok(())
    }
}

fn hash(text: &str) -> Result<CommitHash, FilesError> {
    CommitHash::parse(text).map_err(|error| FilesError::Unreadable(error.to_string()))
}

/// What a commit of a run says: the task, what the commit is, and who did it.
fn message(lease: &Lease<Task>, what: &str, names_run: bool) -> CommitMessage {
    let task = &lease.leased;
    let agent =
        task.agent.as_ref().map_or_else(|| "none".to_owned(), |a| format!("{} v{}", a.name, a.version));
    let mut trailers = vec![(TASK_TRAILER.to_owned(), lease.task().to_string())];
    if names_run {
        trailers.push(("Hive-Run".to_owned(), lease.run_id()));
    }
    trailers.push(("Hive-Agent".to_owned(), agent));
    let subject = format!("{} ({what})", task.title.lines().next().unwrap_or("Work"));
    CommitMessage { subject, body: String::new(), trailers }
}
