//! Why a command could not be run.

use std::io;
use std::path::PathBuf;

/// The floor of the sandbox does not stand on this machine; commands are not run.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// No launcher was found.
    #[error("the launcher `hive-sandbox` is not at {}; install it beside the executable or set its path", .0.display())]
    NoLauncher(PathBuf),
    /// The launcher did not do the self-test.
    #[error("the launcher {} did not answer the self-test: {reason}", launcher.display())]
    Broken {
        /// The launcher that was started.
        launcher: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// A wall of the floor does not hold.
    #[error(
        "the wall `{wall}` does not stand: {reason}; set HIVE_SANDBOX=off only to run commands unconfined"
    )]
    Missing {
        /// `landlock`, `seccomp`, `rlimits`, `uid`, `no_new_privs` or `setup`.
        wall: String,
        /// What the self-test saw.
        reason: String,
    },
}

impl Unavailable {
    /// Why, without the advice.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Missing { wall, reason } if wall != "bubblewrap" && wall != "cgroup" => {
                format!("{wall}: {reason}")
            }
            Self::Missing { reason, .. } => reason.clone(),
            other => other.to_string(),
        }
    }
}

/// A command was not run, or what came of it is not known. Limits are no errors: see [`Output::ended_by`](crate::Output::ended_by).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The launcher could not be started.
    #[error("the launcher {} could not be started", launcher.display())]
    Spawn {
        /// The launcher.
        launcher: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The job itself is wrong: empty command, relative workspace, a path that is not UTF-8.
    #[error("the job cannot be run: {0}")]
    BadJob(String),
    /// The program does not exist or cannot be executed inside; the caller may tell the model.
    #[error("`{program}` cannot be executed in the sandbox: {reason}")]
    Program {
        /// The first word of the command.
        program: String,
        /// What the operating system said.
        reason: String,
    },
    /// A wall could not be raised for this run, so the command was not started.
    #[error("the command was not started: {wall}: {reason}")]
    Refused {
        /// The wall or the step of preparation.
        wall: String,
        /// What went wrong and what to do.
        reason: String,
    },
    /// The launcher ended without saying how the command ended. The command's processes are dead or dying.
    #[error("the launcher ended without a report: {0}")]
    Lost(String),
}
