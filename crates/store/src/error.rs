//! What can go wrong at the store, in the caller's terms.

use hive_domain::{Budget, NanoUsd, TaskId};

/// Result of every verb.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a verb did not happen. Nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Postgres is unreachable, overloaded or refused the statement; see [`Error::is_unavailable`].
    #[error("the database did not answer as expected")]
    Database(#[source] sqlx::Error),
    /// A receiver of messages keeps failing, and nobody may write to it for a while.
    #[error("agent {agent} keeps failing to receive what it is sent; it takes messages again in {seconds} s")]
    ReceiverFailing {
        /// The agent.
        agent: hive_domain::AgentId,
        /// Until its breaker lets messages pass again.
        seconds: u32,
    },
    /// Another run holds the task, or it ended: nothing may be written under this lease any more.
    #[error("the lease of task {task} (epoch {epoch}) is no longer held")]
    Fenced {
        /// The task.
        task: TaskId,
        /// The epoch of the lost lease.
        epoch: i64,
    },
    /// What a call may cost at most does not fit into a budget: it was not noted and must not be sent.
    #[error("{0}")]
    OverBudget(Box<Reached>),
    /// A named row does not exist.
    #[error("{what} {id} does not exist")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its id as given.
        id: String,
    },
    /// A field names something that does not exist or cannot be used.
    #[error("{message}")]
    Invalid {
        /// The field, as a JSON pointer.
        field: &'static str,
        /// One sentence.
        message: String,
    },
    /// The state of the thing does not allow it.
    #[error("{message}")]
    Conflict {
        /// A stable code.
        code: &'static str,
        /// One sentence.
        message: String,
    },
    /// A task was tried again before, and is tried again once only.
    #[error("task {task} was tried again already, as task {successor}")]
    Redriven {
        /// The task.
        task: TaskId,
        /// What was made of it.
        successor: TaskId,
    },
    /// Of several things that were handed over together, some cannot be accepted.
    #[error("{} of the entries cannot be accepted", .0.len())]
    InvalidEntries(Vec<Fault>),
    /// The things would wait for each other in a circle.
    #[error("these tasks would wait for each other in a circle")]
    Cycle(Vec<TaskId>),
    /// An idempotency key stands for a request that asked for something else.
    #[error("the key {key:?} was used for another request")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// A stored row that cannot be.
    #[error("{table}.{column} of {row} cannot be read")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        row: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The schema was made by a newer version, or a migration of ours is missing.
    #[error("the database schema does not fit this version: {0}")]
    Schema(String),
}

/// A budget that has no room for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// As it stood when the call was refused.
    pub budget: Budget,
    /// What the call may cost at most.
    pub need: NanoUsd,
}

impl std::fmt::Display for Reached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { budget, need } = self;
        let (cap, spent, reserved) = (budget.cap.exact(), budget.spent.exact(), budget.reserved.exact());
        write!(
            f,
            "{budget} has no room for a call that may cost ${}: of ${cap}, ${spent} is spent and ${reserved} reserved",
            need.exact()
        )
    }
}

/// What is wrong with one of several things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its place among them, from 0.
    pub index: usize,
    /// The field, as a JSON pointer in it.
    pub field: &'static str,
    /// One sentence.
    pub message: String,
}

impl Error {
    /// True when the same call may succeed later: the connection failed, not the statement.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Database(error) if Self::is_passing(error))
    }

    pub(crate) fn is_passing(error: &sqlx::Error) -> bool {
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            // Class 08: connection; 53: resources; 57: operator intervention such as a shutdown; 40: serialisation;
            // 55P03, 57014 and 25P03: a lock, statement or idle timeout of ours.
            sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class))
                    || ["55P03", "25P03"].contains(&code.as_ref())
            }),
            _ => false,
        }
    }

    /// The answer of a request whose group got none: it may be asked again.
    pub(crate) const fn passing() -> Self {
        Self::Database(sqlx::Error::WorkerCrashed)
    }

    /// The named constraint that refused the statement.
    pub(crate) fn constraint(error: &sqlx::Error) -> Option<&str> {
        error.as_database_error().and_then(sqlx::error::DatabaseError::constraint)
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers pass copies of ids")]
    pub(crate) fn inconsistent(
        table: &'static str,
        column: &'static str,
        row: impl ToString,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Inconsistent { table, column, row: row.to_string(), source: source.into() }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
