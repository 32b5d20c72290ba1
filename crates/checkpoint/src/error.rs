use std::{io, path::PathBuf};

/// Why a checkpoint was not made, is none, or was not restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed or refused.
    #[error("{error}{}", cause(.error))]
    Store {
        /// What it said.
        #[from]
        error: hive_store::Error,
    },
    /// A repository could not be read or written.
    #[error("{url}: {source}")]
    Repository {
        /// Its address.
        url: String,
        /// What git said.
        source: hive_workspace::Error,
    },
    /// The file system failed.
    #[error("{action} {}: {source}", .path.display())]
    Io {
        /// What was tried, a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what the manifest says.
    #[error("the checkpoint is damaged: {file} {what}")]
    Damaged {
        /// The file, below the checkpoint.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// Written by a later version.
    #[error("the checkpoint has format {theirs}, this version reads {ours}")]
    Format {
        /// The format of the checkpoint.
        theirs: u32,
        /// The newest that is read here.
        ours: u32,
    },
    /// It cannot be restored here.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// For `map_err`: an I/O failure with what was tried and where.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn damaged(file: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Damaged { file: file.into(), what: what.into() }
    }
}

/// What Postgres said, which the store's own words leave out.
fn cause(error: &hive_store::Error) -> String {
    std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default()
}
