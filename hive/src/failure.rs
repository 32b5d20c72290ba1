//! How a command ends when it does not end well: a sentence for the person, a code for the script.

use std::process::ExitCode;

/// Why a command failed. Each kind has its exit code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Exit code 1.
    #[error("{0}")]
    Failed(String),
    /// Exit code 1, too: the server answered that it cannot do this now, and may be able to soon.
    #[error("{0}")]
    Later(String),
    /// Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Exit code 3: the task that was waited for did not succeed.
    #[error("{0}")]
    Task(String),
    /// Exit code 4: the server did not answer.
    #[error("{0}")]
    Unreachable(String),
    /// Exit code 5.
    #[error("{0}")]
    Denied(String),
    /// Exit code 6: the question that was waited for stayed unanswered in its time.
    #[error("{0}")]
    Unanswered(String),
}

impl Failure {
    pub(crate) fn report(&self) -> ExitCode {
        let code = match self {
            Self::Failed(_) | Self::Later(_) => 1,
            Self::Usage(_) => 2,
            Self::Task(_) => 3,
            Self::Unreachable(_) => 4,
            Self::Denied(_) => 5,
            Self::Unanswered(_) => 6,
        };
        eprintln!("hive: {self}");
        ExitCode::from(code)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(format!("the server's answer cannot be read: {error}"))
    }
}
