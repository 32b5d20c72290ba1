//! What can go wrong with the local stores, each said so that the reader knows what to do next.

use std::{
    io,
    path::{Path, PathBuf},
};

/// A local store could not be found, fetched, started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process holds the lock of this state directory.
    #[error("already running for {}: stop that one, or choose another state directory", .0.display())]
    AlreadyRunning(PathBuf),

    /// `HIVE_PG_BIN` or `HIVE_REDIS_BIN` names something that does not serve.
    #[error("{variable}={} does not serve: {reason}", .path.display())]
    BadChoice {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
        /// Why it was refused.
        reason: String,
    },

    /// Nothing local was found and nothing could be fetched.
    #[error("no {wanted} was found here, and it could not be fetched: {missing}. {advice}")]
    NotFound {
        /// What was looked for.
        wanted: &'static str,
        /// The one thing that is missing.
        missing: String,
        /// What to install or to set instead.
        advice: &'static str,
    },

    /// The data was written by another major version of Postgres.
    #[error(
        "{} holds data of Postgres {data}, but only Postgres {found} was found: set HIVE_PG_BIN to the bin \
         directory of a Postgres {data} with pgvector, or choose another state directory", .state.display()
    )]
    OtherMajor {
        /// The state directory.
        state: PathBuf,
        /// Major version of the data.
        data: u32,
        /// Major versions that were found.
        found: String,
    },

    /// A user that the stores run as may not pass a directory.
    #[error(
        "{} cannot be entered by uid {uid}, under which the stores run: make it enterable \
         (chmod o+x), or put {what} elsewhere", .directory.display()
    )]
    Blocked {
        /// The directory in the way.
        directory: PathBuf,
        /// The uid of the stores.
        uid: u32,
        /// What lies below it.
        what: &'static str,
    },

    /// The socket directory exists and may belong to somebody else.
    #[error("{} is not safe as a socket directory: {reason}. Remove it, or set XDG_RUNTIME_DIR", .path.display())]
    UnsafeSocketDir {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A process of an earlier start still uses the data.
    #[error("process {pid} still uses {} after {seconds} s: stop it first", .data.display())]
    StillInUse {
        /// The process.
        pid: u32,
        /// The data directory.
        data: PathBuf,
        /// How long it was waited for, in seconds.
        seconds: u64,
    },

    /// A store ended or did not answer while it was being started.
    #[error("{name} did not start: {reason}. Its log is {}:\n{tail}", .log.display())]
    NotStarted {
        /// `postgres` or `redis`.
        name: &'static str,
        /// What was seen.
        reason: String,
        /// The log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },

    /// A command that prepares something failed.
    #[error("{what} failed: {reason}")]
    Failed {
        /// What was tried.
        what: String,
        /// Exit status, last words, or deadline.
        reason: String,
    },

    /// The operating system refused something.
    #[error("cannot {what} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// The file, directory or program.
        path: PathBuf,
        /// The answer.
        #[source]
        source: io::Error,
    },

    /// Postgres answered a test's request with an error.
    #[error("the test database: {0}")]
    Database(#[from] sqlx::Error),

    /// Migrations cannot be read, or fail on a test database.
    #[error("the test database: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// Names the path and the deed in an I/O error.
pub(crate) fn io_error(what: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
    let path = path.as_ref().to_owned();
    move |source| Error::Io { what, path, source }
}
