//! What watchers are told of a task that was changed together with others.

use hive_domain::{TaskId, TaskStatus};

/// A task that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The task.
    pub task: TaskId,
    /// The event that reports it.
    pub event_seq: i64,
    /// Where it stands now.
    pub status: TaskStatus,
}
